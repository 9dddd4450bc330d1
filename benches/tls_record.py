#!/usr/bin/env python3
"""Records the same XMPP conversations twice, in clear and in TLS: OUT-clear.pcap, OUT-tls.pcap and OUT.keys.

    sudo unshare --net benches/tls_record.py OUT [--sessions N] [--megabytes N] [--tls 1.2|1.3] [--suite NAME]

Client and server are OpenSSL's by way of Python, over the loopback of an empty network namespace (so that nothing else
is recorded). Segments are as long as an Ethernet's. Every stanza is a write of its own, and so a TLS record; a third of
the server's are written several at once, as a busy server does. Texts are made from a fixed seed. tcpdump is needed.
"""
import argparse, array, fcntl, os, pathlib, random, signal, socket, ssl, struct, subprocess, tempfile, threading, time

DOMAIN = "delta.test"
WORDS = ("the ship came in before the morning tide and nobody at the harbour asked what was in her hold because the "
         "customs house was closed for the feast and the watch had been paid twice over to look the other way").split()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=30, help="stanzas of all sessions together")
    parser.add_argument("--tls", choices=["1.2", "1.3"], default="1.3")
    parser.add_argument("--suite", help="of TLS 1.2, by OpenSSL's name")
    return parser.parse_args()


def loopback_like_ethernet():
    """Sets the loopback up, with segments that fit into a frame (ethtool's TSO and GSO off)."""
    subprocess.run(["ip", "link", "set", "lo", "up", "mtu", "1500"], check=True)
    with socket.socket() as control:
        for command in (0x1F, 0x24):
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP", b"lo", value.buffer_info()[0])
            fcntl.ioctl(control, 0x8946, request)


def stanza(rng, sender, recipient, number):
    kind = rng.random()
    if kind < 0.7:
        body = " ".join(rng.choices(WORDS, k=rng.randint(3, 60)))
        return (f"<message from='{sender}' to='{recipient}' type='chat' id='m{number}'><body>{body}</body>"
                f"<request xmlns='urn:xmpp:receipts'/></message>")
    if kind < 0.85:
        return f"<presence from='{sender}' to='{recipient}'><show>away</show><status>{rng.choice(WORDS)}</status></presence>"
    return f"<iq from='{sender}' to='{recipient}' type='get' id='i{number}'><ping xmlns='urn:xmpp:ping'/></iq>"


def script(session, size):
    """What is said inside: ('c' or 's', bytes), after the stream was secured."""
    rng = random.Random(session)
    user, peer = f"user{session}@{DOMAIN}", f"peer{session}@{DOMAIN}"
    header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    said = [
        ("c", header + f"to='{DOMAIN}' version='1.0'>"),
        ("s", header + f"from='{DOMAIN}' id='a{session}' version='1.0'><stream:features>"
         "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"),
        ("c", "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>"),
        ("s", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
        ("c", header + f"to='{DOMAIN}' version='1.0'>"),
        ("s", header + f"from='{DOMAIN}' id='b{session}' version='1.0'><stream:features>"
         "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"),
        ("c", "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
        ("s", f"<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{user}/desk</jid></bind></iq>"),
    ]
    done = number = 0
    while done < size:
        number += 1
        sent = stanza(rng, f"{user}/desk", peer, number)
        several = rng.randint(2, 12) if rng.random() < 0.33 else 1
        got = "".join(stanza(rng, f"{peer}/sofa", f"{user}/desk", number * 100 + one) for one in range(several))
        said += [("c", sent), ("s", got)]
        done += len(sent) + len(got)
    return [(who, text.encode()) for who, text in said + [("c", "</stream:stream>"), ("s", "</stream:stream>")]]


def starttls():
    header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    tls = "xmlns='urn:ietf:params:xml:ns:xmpp-tls'"
    return [(who, text.encode()) for who, text in [
        ("c", header + f"to='{DOMAIN}' version='1.0'>"),
        ("s", header + f"from='{DOMAIN}' id='0' version='1.0'><stream:features><starttls {tls}/></stream:features>"),
        ("c", f"<starttls {tls}/>"),
        ("s", f"<proceed {tls}/>"),
    ]]


def speak(connection, me, said):
    for who, text in said:
        if who == me:
            connection.sendall(text)
        else:
            left = len(text)
            while left:
                got = len(connection.recv(left))
                if not got:
                    return
                left -= got


def side(me, connection, context, said):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context:
        speak(connection, me, starttls())
        connection = context.wrap_socket(
            connection, server_side=me == "s", server_hostname=DOMAIN if me == "c" else None)
    speak(connection, me, said)
    connection.close()


def record(path, sessions, contexts):
    capture = subprocess.Popen(["tcpdump", "-i", "lo", "-B", "65536", "-w", path], stderr=subprocess.PIPE)
    capture.stderr.readline()
    listener = socket.create_server(("127.0.0.1", 5222))
    for session, said in enumerate(sessions):
        client = socket.create_connection(("127.0.0.1", 5222))
        server, _ = listener.accept()
        threads = [threading.Thread(target=side, args=(me, connection, context, said))
                   for me, connection, context in (("c", client, contexts[0]), ("s", server, contexts[1]))]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    listener.close()
    time.sleep(1)
    capture.send_signal(signal.SIGINT)
    print(path, capture.stderr.read().decode().strip().replace("\n", ", "))


def contexts(asked, keylog):
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key", f"{folder}/certificate"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                        "-subj", f"/CN={DOMAIN}"], check=True, stderr=subprocess.DEVNULL)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
    version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[asked.tls]
    server.minimum_version = server.maximum_version = version
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if asked.suite:
        server.set_ciphers(asked.suite)
        client.set_ciphers(asked.suite)
    client.check_hostname, client.verify_mode, client.keylog_filename = False, ssl.CERT_NONE, keylog
    return client, server


def main():
    asked = arguments()
    loopback_like_ethernet()
    keylog = f"{asked.out}.keys"
    pathlib.Path(keylog).unlink(missing_ok=True)
    sessions = [script(session, asked.megabytes * 1_000_000 // asked.sessions) for session in range(asked.sessions)]
    record(f"{asked.out}-clear.pcap", sessions, (None, None))
    record(f"{asked.out}-tls.pcap", sessions, contexts(asked, keylog))


main()
