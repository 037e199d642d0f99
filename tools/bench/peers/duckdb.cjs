// Runs one statement: node duckdb.cjs NPM_FOLDER THREADS SQL. Prints the seconds that it took.
const [, , home, threads, sql] = process.argv;
const { DuckDBInstance } = require("node:module").createRequire(`${home}/`)("@duckdb/node-api");

async function main() {
    const instance = await DuckDBInstance.create(":memory:", { threads });
    const connection = await instance.connect();
    const started = process.hrtime.bigint();
    await connection.run(sql);
    console.log(Number(process.hrtime.bigint() - started) / 1e9);
}

main().catch((error) => {
    console.error(String(error));
    process.exitCode = 1;
});
