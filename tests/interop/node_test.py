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

PRELUDE = """
const torsion = require(process.argv[1]);
const listen = (callbacks) => {
    const port = torsion.listen({ host: '127.0.0.1', port: 0 }, callbacks);
    console.log(`READY ${port.number}`);
    return port;
};
const echo = { dataReceived: (connection, data) => connection.write(data) };
const tell = (f) => { try { f(); } catch (error) { console.log(`${error.name}: ${error.message}`); } };
// Connects, sends a word, says what happens.
const ask = (host, port, word, then = () => {}) => torsion.connect({ host, port }, {
    connectionMade: (connection) => connection.write(word),
    dataReceived(connection, data) { console.log('answer', String(data)); then(connection); },
    connectionLost(connection, error) { console.log('lost', error && error.code); },
    connectionFailed(error) { console.log('failed', error.code); },
});
"""


def program(*lines, **options):
    """A program of Node's that has `torsion` and what PRELUDE defines."""
    return Program(NODE, "-e", PRELUDE + "\n".join(lines), ADDON, **options)


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
    with program("listen(echo);") as ours:
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
def timers():
    """timers are never early: armed before the loop runs, in callbacks of Node's, in one of their own; or cancelled"""
    with program(
        "const soon = (name, ms, then = () => {}) => {",
        "    const begin = process.hrtime.bigint();",
        "    return torsion.callLater(ms, () => {",
        "        console.log(name, process.hrtime.bigint() - begin >= BigInt(ms) * 1000000n);",
        "        then();",
        "    });",
        "};",
        "soon('first', 10, () => soon('second', 5, () => setTimeout(() => soon('third', 2, () => {",
        "    setImmediate(() => soon('fourth', 1, () => Promise.resolve().then(() => soon('fifth', 0))));",
        "}), 3)));",
        "const never = soon('never', 3600000);",
        "never.cancel();",
        "tell(() => never.cancel());",
        "tell(() => torsion.callLater(-1, () => {}));",
        "tell(() => torsion.callLater('1', () => {}));",
    ) as ours:
        said = ours.finish().splitlines()
        check(said[0].startswith("Error: torsion_timer_cancel: "), said[0])
        check("negative" in said[1], said[1])
        check_equal(said[2], "TypeError: callLater() takes milliseconds and a function")
        check_equal(said[3:], [f"{name} true" for name in ("first", "second", "third", "fourth", "fifth")])


@case
def threads():
    """what other threads ask for is called on Node's, once each; an exception there is an uncaughtException"""
    with program(
        "process.on('uncaughtException', (error) => console.log('uncaught', error.message));",
        "let count = 0;",
        "const port = listen(echo);",
        "const called = () => {",
        "    count += 1;",
        "    if (count === 100) port.close(() => console.log('called', count));",
        "    if (count === 50) throw new Error('in between');",
        "};",
        "for (let i = 0; i < 100; ++i) torsion.callFromThread(called);",
        "tell(() => torsion.callFromThread());",
    ) as ours:
        said = ours.finish().splitlines()[1:]
        check_equal(said[0], "TypeError: callFromThread() takes a function")
        check_equal(said[1:], ["uncaught in between", "called 100"])


@case
def names():
    """names are looked up; one that there is not, and a port that nobody listens on, are told"""
    holder, unused = unused_port()
    with holder, program(
        "const port = listen(echo);",
        "ask('localhost', port.number, 'by name', (connection) => { connection.lose(); port.close(); });",
        "ask('no such name', 7, '');",
        f"ask('127.0.0.1', {unused}, '');",
        "tell(() => torsion.connect({ host: 'localhost', port: 70000 }, {}));",
        "tell(() => torsion.connect('localhost', 7));",
    ) as ours:
        said = ours.finish().splitlines()[1:]
        check_equal(said[0], "Error: torsion_connect_tcp: port 70000 is not in 1..65535")
        check_equal(said[1], "TypeError: connect() takes {host, port} and the callbacks")
        wanted = ["answer by name", "failed ConnectionRefusedError", "failed DNSLookupError", "lost null"]
        check_equal(sorted(said[2:]), wanted)


@case
def restart():
    """stop() closes ports and connections, and tells; start() begins again, any number of times"""
    with program(
        "let rounds = 0;",
        "function round() {",
        "    ask('127.0.0.1', listen(echo).number, 'hello', () => torsion.stop(() => {",
        "        rounds += 1;",
        "        console.log('stopped');",
        "        torsion.start();",
        "        if (rounds < 3) round();",
        "    }));",
        "}",
        "round();",
        "tell(() => torsion.start());",
    ) as ours:
        said = [line for line in ours.finish().splitlines() if not line.startswith("READY")]
        check(said[0].startswith("Error: torsion_start: "), said[0])
        # Whether the peer's end or the reactor's comes first says the reason.
        check_equal([line.split()[0] for line in said[1:]], ["answer", "lost", "stopped"] * 3)


@case
def reactor_first():
    """destroy() ends everything under way, but not in a callback of the reactor's; Node goes on"""
    with program(
        "const port = listen(echo);",
        "torsion.callLater(3600000, () => console.log('never'));",
        "let kept = null;",
        "ask('127.0.0.1', port.number, 'hello', (connection) => {",
        "    tell(() => torsion.destroy());",
        "    kept = connection;",
        "    setImmediate(() => {",
        "        torsion.destroy();",
        "        console.log('destroyed', kept.write('late'));",
        "        kept.lose();",
        "        kept.pause();",
        "        setTimeout(() => {",
        "            for (const f of [() => listen({}), () => torsion.callLater(0, tell), () => torsion.destroy()]) tell(f);",
        "        }, 5);",
        "    });",
        "});",
    ) as ours:
        said = ours.finish().splitlines()[1:]
        check_equal(said[0], "answer hello")
        check("inside of a callback" in said[1], said[1])
        check(said[2].startswith("lost Connection"), said[2])
        check_equal(said[3], "destroyed false")
        check_equal(["destroyed" in line for line in said[4:]], [True] * 3)


@case
def loop_first():
    """process.exit() ends the process with everything open"""
    with program(
        "const port = listen(echo);",
        "torsion.callLater(3600000, tell);",
        "ask('127.0.0.1', port.number, 'hello', () => setImmediate(() => process.exit(4)));",
        "torsion.callFromThread(() => {});",
    ) as ours:
        check(ours.finish(4).endswith("answer hello\n"), ours.out.text())


@case
def pausing():
    """a connection that is paused says nothing until it is resumed"""
    with program(
        "let connection = null;",
        "const said = [];",
        "const port = listen({",
        "    connectionMade(made) { connection = made; connection.pause(); console.log('paused'); },",
        "    dataReceived(made, data) { console.log('heard', String(data)); made.lose(); port.close(); },",
        "});",
        "process.stdin.once('data', () => { console.log('resumed'); connection.resume(); process.stdin.destroy(); });",
    ) as ours:
        with connect(ours.port()) as peer:
            ours.out.wait("^paused$")
            peer.sendall(b"hello")
            ours.send("go\n")
            check_equal(receive_all(peer), b"")
        check(ours.finish().endswith("paused\nresumed\nheard hello\n"), ours.out.text())


@case
def arguments():
    """wrong arguments are TypeErrors; what the system refuses is an Error that names it"""
    with program(
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
        "    const torsion = require(workerData);",
        "    const port = torsion.listen({ host: '127.0.0.1', port: 0 }, {",
        "        dataReceived: (connection, data) => connection.write(data),",
        "    });",
        "    torsion.callLater(3600000, () => {});",
        "    torsion.connect({ host: 'localhost', port: port.number }, {});",
        "    torsion.callFromThread(() => {});",
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
