import { systemClock } from '#domain/time'
import { runProgram } from './program.ts'

const context = {
  env: process.env,
  clock: systemClock,
  print: (line: string) => console.log(line),
}

process.exitCode = await runProgram(context, process.argv.slice(2), (line) => console.error(line))
