// npm_smpp.cjs HOME PORT CA COUNT CONNECTIONS WINDOW TEXT - binds and sends COUNT text messages, WINDOW without an answer
const fs = require('fs');
const [home, port, ca, countText, connections, windowText, text] = process.argv.slice(2);
const smpp = require(home + '/node_modules/smpp');
const count = Number(countText);
const window = Number(windowText);
const options = { host: 'localhost', port: Number(port), tls: true, ca: fs.readFileSync(ca) };
let next = 0;
let sent = 0;
let answered = 0;

function bind() {
    return new Promise((resolve, reject) => {
        const session = smpp.connect(options, () => {
            session.bind_transceiver({ system_id: 'shop', password: 'secret' }, (pdu) => {
                if (pdu.command_status === 0) resolve(session);
                else reject(new Error(`bind: ${pdu.command_status}`));
            });
        });
        session.on('error', reject);
        session.on('deliver_sm', (pdu) => session.send(pdu.response())); // receipts, which postroom asks for too
    });
}

async function main() {
    const sessions = await Promise.all(Array.from({ length: Number(connections) }, bind));
    const began = process.hrtime.bigint();
    await new Promise((resolve) => {
        const send = (session) => {
            if (next >= count) return;
            const n = ++next;
            const row = { first_name: 'Ann' + n % 977, city: 'Lille', points: n * 7 % 10000 };
            session.submit_sm({
                source_addr: 'Shop', source_addr_ton: 5, destination_addr: '336' + String(n).padStart(8, '0'), dest_addr_ton: 1,
                dest_addr_npi: 1, registered_delivery: 1, short_message: text.replace(/\{\{(\w+)\}\}/g, (all, name) => row[name]),
            }, (pdu) => {
                if (pdu.command_status === 0) sent += 1;
                if (++answered === count) resolve();
                else send(session);
            });
        };
        for (const session of sessions) {
            for (let i = 0; i < window; i += 1) send(session);
        }
    });
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    sessions.forEach((session) => session.destroy());
    console.log(JSON.stringify({ sent, seconds }));
}
main().catch((error) => { console.error(error); process.exit(1); });
