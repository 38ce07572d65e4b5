/** A keep-alive connection that carries one request at a time. */
export interface Connection {
  /** Sends the bytes of a whole request; resolves with the status of the whole answer. */
  send(request: Uint8Array): Promise<number>
  close(): void
}

/** Opens a raw socket: a client that costs next to nothing leaves the cores to what is measured. */
export async function connect(hostname: string, port: number): Promise<Connection> {
  let received = ''
  let waiting: PromiseWithResolvers<number> | undefined

  function fail(why: string): void {
    waiting?.reject(new Error(why))
    waiting = undefined
  }

  function take(bytes: Uint8Array): void {
    received += Buffer.from(bytes).toString('latin1')
    const status = statusOf(received)
    if (status === undefined) return
    received = ''
    const done = waiting
    waiting = undefined
    done?.resolve(status)
  }

  const socket = await Bun.connect({
    hostname,
    port,
    socket: {
      data: (_, bytes) => take(bytes),
      close: () => fail('the gateway closed the connection'),
      error: (_, error) => fail(error.message),
    },
  })
  socket.setNoDelay(true)
  return {
    send(request) {
      waiting = Promise.withResolvers<number>()
      const { promise } = waiting
      // A request fits the empty buffer of a socket many times.
      if (socket.write(request) !== request.length) fail('the socket took half a request')
      return promise
    },
    close: () => void socket.end(),
  }
}

const HEAD_END = '\r\n\r\n'
const LENGTH = /\r\ncontent-length: *(\d+)/i

/** The status once the answer is whole. */
function statusOf(text: string): number | undefined {
  const end = text.indexOf(HEAD_END)
  if (end < 0) return undefined
  const length = Number(LENGTH.exec(text)?.[1] ?? '0')
  if (text.length < end + HEAD_END.length + length) return undefined
  return Number(text.slice(9, 12))
}
