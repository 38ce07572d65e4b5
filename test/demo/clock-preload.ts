// Preloaded into the gateway and the worker of the demo: their clock is the demo's.

import { systemClock } from '#domain/time'
import { CLOCK_FILE, clockOf } from './clock.ts'

const path = process.env[CLOCK_FILE]
if (path === undefined) throw new Error(`${CLOCK_FILE} is not set`)
Object.assign(systemClock, clockOf(path))
