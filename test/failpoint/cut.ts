import { Client } from 'pg'

// Ends the database connections of the application that is named: `bun cut.ts NAME`.

const client = new Client({ connectionString: process.env['DATABASE_URL'] })
await client.connect()
await client.query(
  'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
  [process.argv[2]],
)
await client.end()
