import { refuseFailpoints } from '#db/refuse-failpoint'
import { systemClock } from '#domain/time'
import { runWorker } from './run.ts'

await runWorker(systemClock, refuseFailpoints)
