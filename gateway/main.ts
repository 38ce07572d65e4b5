import { refuseFailpoints } from '#db/refuse-failpoint'
import { systemClock } from '#domain/time'
import { runGateway } from './run.ts'

await runGateway(systemClock, refuseFailpoints)
