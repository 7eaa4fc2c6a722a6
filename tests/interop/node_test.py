#!/usr/bin/env python3
"""The reactor on Node's own loop: the example as a program, and its addon in programs of this test's own.

TORSION_ADDON names the addon.
"""

import re

from harness import *

SCRIPT = HERE.parents[1] / "examples" / "embedding" / "node" / "timestamp_server.js"
MESSAGES = 10_000
IDLE = 2.0  # s
# What Node's own housekeeping may wake its idle main thread in that time. A loop that spins does it thousands of times.
FEW_WAKE_UPS = 20

ADDON = os.environ.get("TORSION_ADDON", "")
if not os.path.exists(ADDON):
    skip("the addon is not built", "hosts")
NODE = shutil.which("node") or skip("node is not installed", "hosts")

LISTEN = """
const torsion = require(process.argv[1]);
const listen = (callbacks) => {
    const port = torsion.listen({ host: '127.0.0.1', port: 0 }, callbacks);
    console.log(`READY ${port.number}`);
    return port;
};
"""


def program(*lines, **options):
    """A program of Node's that has `torsion` and `listen(callbacks)`."""
    return Program(NODE, "-e", LISTEN + "\n".join(lines), ADDON, **options)


def is_closed(peer):
    """Whether the connection ends, in order or not, before anything comes."""
    try:
        return peer.recv(100) == b""
    except ConnectionResetError:
        return True


@case
def answers():
    """the server answers beside Node's own timer; after a signal everything is closed, and Node ends by itself"""
    for number in (signal.SIGTERM, signal.SIGINT):
        with Program(NODE, SCRIPT, "--port", 0, "--tick", 20, ADDON, stdin=subprocess.DEVNULL) as ours:
            serves_until_signalled(ours, number)


@case
def many_messages():
    """10,000 messages come back, one by one; then the idle loop sleeps"""
    with program("listen({ dataReceived: (connection, data) => connection.write(data) });") as ours:
        with connect(ours.port()) as peer:
            for _ in range(MESSAGES):
                peer.sendall(b"sixteen bytes...")
                check_equal(receive_exactly(peer, 16), b"sixteen bytes...")
            time.sleep(0.2)
            before = wake_ups(ours.process.pid)
            time.sleep(IDLE)
            count = wake_ups(ours.process.pid) - before
            check(count <= FEW_WAKE_UPS, count, "wake-ups")


def wake_ups(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M).group(1))


@case
def ends_by_itself():
    """what is open keeps Node running, and nothing else does: not the module, not a closed port"""
    with program() as ours:
        ours.finish()
    with program(
        "const port = listen({",
        "    connectionMade(connection) { port.close(() => console.log('closed')); },",
        "    dataReceived(connection, data) { connection.lose(); },",
        "    connectionLost(connection, error) { console.log('lost', error, connection.write('late')); },",
        "});",
    ) as ours:
        with connect(ours.port()) as peer:
            ours.out.wait("^closed$")
            check(ours.process.poll() is None, "the connection does not keep it")
            peer.sendall(b"bye")
            check_equal(receive_all(peer), b"")
        check(ours.finish().endswith("lost null false\n"), ours.out.text())


@case
def exceptions():
    """what a callback throws is an uncaughtException, and drops its connection; others go on"""
    with program(
        "process.on('uncaughtException', (error) => console.log('uncaught', error.message));",
        "listen({",
        "    dataReceived(connection, data) {",
        "        if (String(data) === 'bad') throw new Error('not that word');",
        "        connection.write(data);",
        "    },",
        "    connectionLost(connection, error) { console.log('lost', error?.code, error?.message); },",
        "});",
    ) as ours:
        with connect(ours.port()) as good, connect(ours.port()) as bad:
            bad.sendall(b"bad")
            check(is_closed(bad), "the connection is not dropped")
            ours.out.wait("^uncaught not that word$")
            ours.out.wait("^lost CallbackError Error: not that word$")
            good.sendall(b"good")
            check_equal(receive_exactly(good, 4), b"good")


@case
def fatal_exception():
    """without a handler it ends the process, as any other; so does process.exit() in a callback"""
    for does, status in (("throw new Error('nobody catches this')", 1), ("process.exit(3)", 3)):
        with program(f"listen({{ dataReceived() {{ {does}; }} }});") as ours:
            with connect(ours.port()) as peer:
                peer.sendall(b"x")
                check(is_closed(peer), "the connection is still there")
            ours.finish(status)


@case
def arguments():
    """wrong arguments are TypeErrors; what the system refuses is an Error that names it"""
    with program(
        "const tell = (f) => { try { f(); } catch (error) { console.log(`${error.name}: ${error.message}`); } };",
        "const port = listen({});",
        "tell(() => torsion.listen());",
        "tell(() => torsion.listen({ host: 1, port: 2 }, {}));",
        "tell(() => torsion.listen({ host: '127.0.0.1', port: 70000 }, {}));",
        "tell(() => torsion.listen({ host: '127.0.0.1', port: port.number }, {}));",
        "tell(() => port.close.call({}));",
        "tell(() => new port.constructor().number);",
        "port.close();",
    ) as ours:
        said = ours.finish().splitlines()[1:]
        check_equal(said[:2], ["TypeError: listen() takes {host, port} and the callbacks"] * 2)
        check_equal(said[2], "Error: torsion_listen_tcp: port 70000 is not in 0..65535")
        check("EADDRINUSE" in said[3], said[3])
        check(said[4].startswith("TypeError"), said[4])
        check_equal(said[5], "TypeError: it is not made by this module")


@case
def workers():
    """a worker has a reactor of its own, which its end closes: by itself, by terminate(), and with connections open"""
    with program(
        "const { Worker } = require('node:worker_threads');",
        "const code = `",
        "    const { parentPort, workerData } = require('node:worker_threads');",
        "    const port = require(workerData).listen({ host: '127.0.0.1', port: 0 }, {",
        "        dataReceived: (connection, data) => connection.write(data),",
        "    });",
        "    parentPort.postMessage(port.number);",
        "`;",
        "async function round() {",
        "    const worker = new Worker(code, { eval: true, workerData: process.argv[1] });",
        "    const number = await new Promise((resolve) => worker.once('message', resolve));",
        "    const peer = require('node:net').connect(number, '127.0.0.1');",
        "    peer.on('error', () => {});",
        "    const closed = new Promise((resolve) => peer.once('close', resolve));",
        "    peer.write('hello');",
        "    await new Promise((resolve) => peer.once('data', resolve));",
        "    await worker.terminate();",
        "    await closed;",
        "}",
        "(async () => {",
        "    for (let i = 0; i < 3; ++i) await round();",
        "    const loads = 'require(require(`node:worker_threads`).workerData)';",
        "    const idle = new Worker(loads, { eval: true, workerData: process.argv[1] });",
        "    console.log('all ended', await new Promise((resolve) => idle.once('exit', resolve)));",
        "})();",
    ) as ours:
        check_equal(ours.finish(), "all ended 0\n")


main()
