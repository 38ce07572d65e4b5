import { startPostgres } from '#db/embedded/supervisor'

// A process of its own that starts PostgreSQL in the directory it is given and then waits to be killed.

const [dataDirectory] = process.argv.slice(2)
if (dataDirectory === undefined) throw new Error('expected a data directory')
const postgres = await startPostgres({ dataDirectory, fsync: true })
console.log(JSON.stringify({ url: postgres.url, pids: postgres.pids() }))
await new Promise(() => setInterval(() => undefined, 60_000))
