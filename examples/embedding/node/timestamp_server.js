#!/usr/bin/env node
// A reactor on Node's own loop, through the addon beside: a timestamp server beside one of Node's timers.
//
//     timestamp_server.js [--host ADDRESS] [--port NUMBER] [--tick MILLISECONDS] [ADDON]
//
// ADDON is the path of torsion.node; without it that of the build directory is taken. Prints `READY <port>`; SIGINT and
// SIGTERM end it, by closing what is open: Node ends by itself when nothing is.

'use strict';

const path = require('node:path');
const { parseArgs } = require('node:util');

const { values: options, positionals: [addon] } = parseArgs({
    allowPositionals: true,
    options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '21567' },
        tick: { type: 'string', default: '5000' },
    },
});
const built = path.join(__dirname, '../../../build/examples/embedding/node/torsion.node');
const torsion = require(path.resolve(addon ?? built));

/** "Sat Nov 21 10:57:32 2026" */
function ctime(date) {
    const [weekday, month, day, year, time] = date.toString().split(' ');
    return `${weekday} ${month} ${day.replace(/^0/, ' ')} ${time} ${year}`;
}

let served = 0;
const connections = new Set();

console.log('waiting for connection...');
const port = torsion.listen({ host: options.host, port: Number(options.port) }, {
    connectionMade(connection) {
        connections.add(connection);
        console.log(`...connected from: ${connection.peer.host}`);
    },
    dataReceived(connection, data) {
        served += 1;
        connection.write(Buffer.concat([Buffer.from(`[${ctime(new Date())}] `), data]));
    },
    connectionLost(connection) {
        connections.delete(connection);
    },
});
console.log(`READY ${port.number}`);

const ticking = setInterval(() => console.log(`tick: ${served} messages served`), Number(options.tick));

function stop() {
    clearInterval(ticking);
    port.close(() => console.log('stopped'));
    for (const connection of connections)
        connection.lose();
}

process.once('SIGINT', stop);
process.once('SIGTERM', stop);
