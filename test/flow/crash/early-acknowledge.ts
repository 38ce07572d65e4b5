import pino from 'pino'
import { loadLocalHosts, loadNumber, loadSealKey, loadVariable } from '#db/config'
import { storeNotifications } from '#db/notification/notification'
import { systemClock } from '#domain/time'
import { startGateway } from '#gateway/start'

// A planted bug: a gateway that acknowledges first and stores a moment later. Killed in between, it
// loses what the vendor will never send again. The crash test must see that.

const STORE_AFTER_MS = 200

await startGateway({
  databaseUrl: loadVariable(process.env, 'DATABASE_URL'),
  sealKey: loadSealKey(process.env),
  publicUrl: loadVariable(process.env, 'PINGZHANG_PUBLIC_URL'),
  hostname: '127.0.0.1',
  port: loadNumber(process.env, 'PINGZHANG_PORT', 0),
  localHosts: loadLocalHosts(process.env),
  compensationSeconds: loadNumber(process.env, 'PINGZHANG_COMPENSATION_S', 2),
  clock: systemClock,
  log: pino({ level: 'silent' }),
  requireDurable: true,
  commitWith: (db, jobs, options) => (batch) => {
    setTimeout(() => void storeNotifications(db, jobs, batch, options), STORE_AFTER_MS)
    return Promise.resolve()
  },
})
