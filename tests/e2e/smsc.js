// An SMSC by the npm package smpp: smsc.js PACKAGE [quiet [PEM KEY]]. What it does with a message is in its number (see ANSWERS and
// RECEIPTS); prints its port, a line for each submit_sm that it takes and one for each bind, unbind and deliver_sm_resp. A
// receipt that is not answered, or refused for now, is sent again to whoever binds next, as SMSCs do.
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

const text = (id, state, error) => `id:${id} sub:001 dlvrd:001 submit date:2701010000 done date:2701010001 stat:${state} err:${error} text:`;
const waiting = []; // receipts that nobody has taken

// What is told of a part that was asked for a receipt: deliver_sm, or { late: deliver_sm } for the next session.
const RECEIPTS = {
    4421: (id) => [{ late: { short_message: text(id, 'DELIVRD', '000') } }],
    4422: (id) => [text(id, 'DELIVRD', '000'), text(id, 'DELIVRD', '000'), text(id, 'UNDELIV', '001')],
    4423: () => [],
    4424: (id) => [text(id, 'ENROUTE', '000'), text(id, 'UNDELIV', '001')],
    4425: (id, part) => (part === 1 ? [text(id, 'DELIVRD', '000')] : []),
    4426: (id) => [{ receipted_message_id: id, message_state: 2 }],
    4427: (id) => [
        { late: { short_message: text(id, 'EXPIRED', '0B') } }],
    4428: (id) => [ // nothing of these is about anybody, but for the last
        'stat:DELIVRD', `id: stat:DELIVRD`, text('x'.repeat(130), 'DELIVRD', '000'), text(`${id}\0`, 'DELIVRD', '000'),
        text('no-such-message', 'DELIVRD', '000'), { short_message: '' }, text(id, 'UNKNOWN', '000'), 'id:'.repeat(80),
        { message_payload: { message: Buffer.alloc(60000, 'id:a ') } }, { receipted_message_id: 'y'.repeat(200), message_state: 2 },
        text(id, 'DELIVRD', '000')],
    4433: () => [],
    4430: (id) => [{ short_message: text(id, 'UNDELIV', '001'), network_error_code: Buffer.from([3, 0, 1]) }],
    4431: (id) => [{ late: { short_message: text(id, 'UNDELIV', '001'), network_error_code: Buffer.from([3, 0, 1]) } }],
    4432: (id) => [{ short_message: text(id, 'UNDELIV', '001'), network_error_code: Buffer.from([3, 0, 27]) }], // switched off
    4429: (id) => [{ after: 700, short_message: text(id, 'DELIVRD', '000') }],
};

function tell(session, id, receipt, number) {
    const entry = { id, receipt, number };
    waiting.push(entry);
    session.deliver_sm({ esm_class: 4, source_addr: number, destination_addr: 'Shop', ...receipt }, (reply) => {
        say('told', { id, status: reply.command_status });
        if (reply.command_status === 0) {
            waiting.splice(waiting.indexOf(entry), 1);
        }
    });
}

const sessions = new Set(); // bound

// By another session where there is one, and before the part is answered where it is the only one.
function tellElsewhere(session, id, receipt, number) {
    const others = [...sessions].filter((other) => other !== session);
    tell(others.length > 0 ? others[0] : session, id, receipt, number);
}

function report(session, id, number, part) {
    const rule = RECEIPTS[number.slice(0, 4)] || ((name) => [text(name, 'DELIVRD', '000')]);
    for (const one of rule(id, part)) {
        const receipt = typeof one === 'string' ? { short_message: one } : one;
        if (receipt.late) {
            waiting.push({ id, receipt: receipt.late, number });
        } else if (receipt.after) {
            const { after, ...rest } = receipt;
            setTimeout(() => tell(session, id, rest, number), after);
        } else {
            tell(session, id, receipt, number);
        }
    }
}

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
    if (good && pdu.destination_addr.startsWith('4433')) { // quicker than its own answer
        tellElsewhere(session, id, { short_message: text(id, 'DELIVRD', '000') }, pdu.destination_addr);
    }
    session.send(pdu.response(good ? { message_id: id } : answer));
    say(good ? 'got' : 'refused', {
        to: pdu.destination_addr, from: pdu.source_addr, ton: [pdu.source_addr_ton, pdu.dest_addr_ton], part,
        parts: udh ? udh[udh.length - 2] : 1, reference: udh ? udh[udh.length - 3] : null, coding: pdu.data_coding,
        text: pdu.short_message.message, status: answer.command_status || 0,
    });
    if (good && pdu.registered_delivery) {
        report(session, id, pdu.destination_addr, part);
    }
}

const server = smpp.createServer(secure, (session) => {
    session.on('error', () => {});
    session.on('bind_transceiver', (pdu) => {
        const good = pdu.system_id === 'shop' && pdu.password === 'secret';
        session.send(pdu.response(good ? { system_id: 'smsc' } : { command_status: smpp.ESME_RINVPASWD }));
        if (good) {
            sessions.add(session);
            session.on('close', () => sessions.delete(session));
        }
        say('bind', { system_id: pdu.system_id, version: pdu.interface_version, good });
        for (const entry of good ? waiting.splice(0) : []) {
            tell(session, entry.id, entry.receipt, entry.number);
        }
    });
    session.on('submit_sm', (pdu) => take(session, pdu));
    session.on('enquire_link', (pdu) => { session.send(pdu.response()); say('enquire', {}); });
    session.on('unbind', (pdu) => { session.send(pdu.response()); say('unbind', {}); session.close(); });
});
server.on('error', () => {});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
