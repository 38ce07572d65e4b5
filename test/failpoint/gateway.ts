import { systemClock } from '#domain/time'
import { runGateway } from '#gateway/run'

// The gateway as it is deployed, but for the check that refuses failpoints.

await runGateway(systemClock, () => undefined)
