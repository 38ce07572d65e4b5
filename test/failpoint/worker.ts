import { systemClock } from '#domain/time'
import { runWorker } from '#worker/run'

// The worker as it is deployed, but for the check that refuses failpoints.

await runWorker(systemClock, () => undefined)
