// nodemailer.cjs HOME PORT CA COUNT CONNECTIONS TEXT KEY - sends COUNT messages through a pool; KEY: signs them, or ''
const fs = require('fs');
const [home, port, ca, countText, connections, textFile, key] = process.argv.slice(2);
const nodemailer = require(home + '/node_modules/nodemailer');
const count = Number(countText);
const text = fs.readFileSync(textFile, 'utf8');
const options = {
    pool: true, maxConnections: Number(connections), maxMessages: Infinity, host: '127.0.0.1', port: Number(port),
    secure: true, tls: { ca: fs.readFileSync(ca) },
};
if (key) {
    options.dkim = { domainName: 'example.net', keySelector: 'bench', privateKey: fs.readFileSync(key, 'utf8') };
}
const transporter = nodemailer.createTransport(options);
let next = 0;
let sent = 0;

async function worker() {
    while (next < count) {
        const n = ++next;
        const row = { first_name: 'Ann' + n % 977, city: 'Lille', points: n * 7 % 10000,
            unsubscribe: 'https://example.net/u?' + n };
        const info = await transporter.sendMail({
            from: 'Shop <shop@example.net>', to: `ann.${n}@example.net`, subject: row.first_name + ', spring is here',
            text: text.replace(/\{\{(\w+)\}\}/g, (all, name) => row[name]),
            headers: { 'List-Unsubscribe': `<${row.unsubscribe}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
        });
        sent += info.accepted.length;
    }
}

async function main() {
    const began = process.hrtime.bigint();
    // twice as many as connections: one is made while one is sent
    await Promise.all(Array.from({ length: 2 * Number(connections) }, worker));
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    transporter.close();
    console.log(JSON.stringify({ sent, seconds }));
}
main().catch((error) => { console.error(error); process.exit(1); });
