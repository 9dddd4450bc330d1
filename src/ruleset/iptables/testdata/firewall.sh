#!/bin/sh
# A firewall as people write it
set -e
PATH=/sbin:/usr/sbin:/bin
modprobe nf_conntrack 2>/dev/null || true
echo "loading $0 ..." # not evaluated
iptables -F; iptables -X
iptables -t nat -F && iptables -t nat -X
iptables -P INPUT DROP
/sbin/iptables -P FORWARD DROP
iptables --policy OUTPUT ACCEPT
iptables -N LOGDROP
iptables -N spare
iptables -w 5 -A LOGDROP -m limit --limit 5/min -j LOG \
    --log-prefix 'dropped: ' --log-level 7
iptables -A LOGDROP -j DROP
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -m conntrack --ctstate "RELATED,ESTABLISHED" -j ACCEPT
iptables -A INPUT -p tcp -m multiport --dports 5222,5269 -j ACCEPT
iptables -I INPUT -s 192.0.2.1,192.0.2.2 -j spare
iptables -I INPUT 2 -p icmp --icmp-type echo-request -j ACCEPT
iptables -D INPUT -p icmp --icmp-type 8 -j ACCEPT
iptables -A INPUT -j LOGDROP
iptables -R INPUT 1 -s 192.0.2.3 -m string --string "<stream:stream" --algo bm -j spare
iptables -E spare greylist
iptables -D INPUT 2
iptables -D INPUT -s 10.9.9.9 -j ACCEPT 2>/dev/null || true
iptables -A greylist -m recent --name grey --set -j RETURN
iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
iptables -t nat -A PREROUTING -p tcp --dport 443 -j DNAT --to-destination 10.0.0.5:5443
iptables-legacy -t raw -L >/dev/null 2>&1
ip6tables -P INPUT DROP
ip6tables -A INPUT -p ipv6-icmp -j ACCEPT
ip6tables -A INPUT -p tcp --dport epmd ! -s 2001:db8::/32 -j REJECT
ip6tables -S
exit 0
iptables -A INPUT -j ACCEPT
