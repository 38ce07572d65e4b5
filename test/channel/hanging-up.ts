/** A vendor on a loopback port that reads a request, writes the start of an answer, and hangs up. */
export interface HangingUp extends AsyncDisposable {
  readonly host: string
}

export function hangingUp(start: string): HangingUp {
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket) {
        socket.write(start)
        socket.end()
      },
    },
  })
  return {
    host: `127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => Promise.resolve(server.stop(true)),
  }
}
