// An SMSC by the npm package smpp: smsc.js PACKAGE [quiet [PEM KEY]]. What it does with a message is in its number (see
// ANSWERS); prints its port, a line for each submit_sm that it takes and one for each bind, unbind and deliver_sm_resp.
// quiet: its port alone. With PEM and KEY it speaks TLS itself.
const fs = require('fs');
const smpp = require(process.argv[2]);
const quiet = process.argv[3] === 'quiet';
const [pem, key] = process.argv.slice(4);
const secure = pem ? { cert: fs.readFileSync(pem), key: fs.readFileSync(key) } : {};
const say = (kind, what) => quiet || console.log(`${kind} ${JSON.stringify(what)}`);
const seen = new Map(); // number and part -> times
let accepted = 0;

const ANSWERS = {
    4411: () => ({ command_status: smpp.ESME_RINVDSTADR }),
    4412: () => ({ command_status: smpp.ESME_RSYSERR }),
    4413: (times) => ({ command_status: times === 1 ? smpp.ESME_RTHROTTLED : 0 }), // once
    4414: () => ({ command_status: smpp.ESME_RMSGQFUL }), // always
    4415: () => null, // no answer
    4416: (times, session) => { session.destroy(); return null; },
    4417: (times, session) => { session.unbind(); return {}; },
    4418: () => ({ command_status: 0x4FF }), // a vendor's own
    4419: (times, session, part) => (part === 2 ? { command_status: smpp.ESME_RINVSRCADR } : {}),
};

function take(session, pdu) {
    const udh = pdu.short_message.udh && pdu.short_message.udh[0];
    const part = udh ? udh[udh.length - 1] : 1;
    const name = `${pdu.destination_addr}/${part}`;
    seen.set(name, (seen.get(name) || 0) + 1);
    const rule = ANSWERS[pdu.destination_addr.slice(0, 4)] || (() => ({}));
    const answer = rule(seen.get(name), session, part);
    if (answer === null) {
        say('lost', { to: pdu.destination_addr, part });
        return;
    }
    const id = `m-${accepted += 1}`;
    const good = !answer.command_status;
    session.send(pdu.response(good ? { message_id: id } : answer));
    say(good ? 'got' : 'refused', {
        to: pdu.destination_addr, from: pdu.source_addr, ton: [pdu.source_addr_ton, pdu.dest_addr_ton], part,
        parts: udh ? udh[udh.length - 2] : 1, reference: udh ? udh[udh.length - 3] : null, coding: pdu.data_coding,
        text: pdu.short_message.message, status: answer.command_status || 0,
    });
    if (good && pdu.registered_delivery) {
        session.deliver_sm({
            esm_class: 4, source_addr: pdu.destination_addr, destination_addr: pdu.source_addr,
            short_message: `id:${id} sub:001 dlvrd:001 submit date:2701010000 done date:2701010001 stat:DELIVRD err:000 text:`,
        }, (reply) => say('delivered', { id, status: reply.command_status }));
    }
}

const server = smpp.createServer(secure, (session) => {
    session.on('error', () => {});
    session.on('bind_transceiver', (pdu) => {
        const good = pdu.system_id === 'shop' && pdu.password === 'secret';
        session.send(pdu.response(good ? { system_id: 'smsc' } : { command_status: smpp.ESME_RINVPASWD }));
        say('bind', { system_id: pdu.system_id, version: pdu.interface_version, good });
    });
    session.on('submit_sm', (pdu) => take(session, pdu));
    session.on('enquire_link', (pdu) => { session.send(pdu.response()); say('enquire', {}); });
    session.on('unbind', (pdu) => { session.send(pdu.response()); say('unbind', {}); session.close(); });
});
server.on('error', () => {});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
