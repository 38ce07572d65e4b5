import { fileURLToPath } from 'node:url'
import type { z } from 'zod'

/** A process of the benchmark: it got one JSON argument and answers in lines of JSON. */
export interface Child {
  /** The next line of its output, read by the schema. */
  next<T>(schema: z.ZodType<T>): Promise<T>
  /** Ends its input, which asks it to stop. */
  endInput(): void
  /** Resolves when it ended well. */
  finished(): Promise<void>
  kill(): void
}

/** Starts a file of this folder as a process of its own. */
export function startChild(file: string, argument: unknown): Child {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = Bun.spawn([process.execPath, path, JSON.stringify(argument)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = linesOf(child.stdout)
  return {
    async next(schema) {
      const { value, done } = await lines.next()
      if (done) throw new Error(`${file} ended without an answer`)
      return schema.parse(JSON.parse(value))
    },
    endInput: () => void child.stdin.end(),
    async finished() {
      const code = await child.exited
      if (code !== 0) throw new Error(`${file} ended with ${code}`)
    },
    kill: () => child.kill('SIGKILL'),
  }
}

/** Runs a file of this folder to its end and reads the one line that it prints. */
export async function runChild<T>(
  file: string,
  argument: unknown,
  schema: z.ZodType<T>,
): Promise<T> {
  const child = startChild(file, argument)
  try {
    const answer = await child.next(schema)
    await child.finished()
    return answer
  } finally {
    child.kill()
  }
}

/** The argument of this process, when it is such a child. */
export const readArgument = <T>(schema: z.ZodType<T>): T =>
  schema.parse(JSON.parse(process.argv[2] ?? 'null'))

/** Prints one answer. */
export const answer = (value: unknown): void => console.log(JSON.stringify(value))

async function* linesOf(output: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of output) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
}
