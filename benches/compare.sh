#!/usr/bin/env bash
# Whole-process runs side by side: jabberscope and its peers on the same captures.
#
#   benches/compare.sh CAPTURE...            prints a Markdown table a capture
#
# Wall and CPU seconds are medians of RUNS (5) after one run to warm the page cache; memory is the peak resident set
# of the median run. Peers that are not installed are left out (apt: tcpdump, libndpi-bin, tcpflow, tshark).
set -euo pipefail
runs=${RUNS:-5}
binary=${BINARY:-target/release/jabberscope}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# measure COMMAND...: "wall cpu peak_kb", the median by wall time
measure() {
  "$@" >/dev/null 2>&1 || true
  for _ in $(seq "$runs"); do
    /usr/bin/time -o "$work/time" -f '%e %U %S %M' "$@" >/dev/null 2>&1 || true
    tail -n 1 "$work/time"
  done | sort -n | awk '{ line[NR] = $0 } END { split(line[int((NR + 1) / 2)], f, " "); printf "%.2f %.2f %d\n", f[1], f[2] + f[3], f[4] }'
}

row() {
  local name=$1
  shift
  command -v "$1" >/dev/null || return 0
  read -r wall cpu peak < <(measure "$@")
  [ -n "${floor:-}" ] || floor=$wall
  printf '| %s | %s | %s | %d | %s |\n' "$name" "$wall" "$cpu" $((peak / 1024)) "$(awk -v a="$wall" -v b="$floor" 'BEGIN { printf "%.1f", a / b }')"
}

for capture in "$@"; do
  floor=""
  printf '\n%s, %s MB\n\n' "$(basename "$capture")" $(($(stat -c %s "$capture") / 1000000))
  echo '| program | wall s | CPU s | peak MB | times the floor |'
  echo '|---|---|---|---|---|'
  row 'tcpdump -w /dev/null (floor)' tcpdump -r "$capture" -w /dev/null
  row 'ndpiReader' ndpiReader -i "$capture"
  row 'tcpflow' tcpflow -r "$capture" -o "$work/tcpflow"
  rm -rf "$work/tcpflow"
  row 'jabberscope analyze' "$binary" analyze "$capture" -o "$work/case" --force --no-progress
  row 'jabberscope analyze --threads 1' "$binary" analyze "$capture" -o "$work/case" --force --no-progress --threads 1
  if [ -z "${NO_TSHARK:-}" ]; then
    row 'tshark -Y xmpp -T fields' tshark -n -r "$capture" -Y xmpp -T fields -e ip.src -e ip.dst -e xmpp.id -e xmpp.cdata
  fi
done
