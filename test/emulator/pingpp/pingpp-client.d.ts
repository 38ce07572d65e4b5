/** The part of Ping++'s own client for Node that the tests use; the package brings no types. */
declare module 'pingpp' {
  interface Client {
    setHost(host: string, port: string, protocol: 'http'): void
    setPrivateKey(pem: string): void
    readonly charges: {
      create(body: unknown): Promise<unknown>
      retrieve(id: string): Promise<unknown>
      list(query: unknown): Promise<unknown>
      reverse(id: string): Promise<unknown>
      createRefund(id: string, body: unknown): Promise<unknown>
      listRefunds(id: string, query?: unknown): Promise<unknown>
      retrieveRefund(id: string, refundId: string): Promise<unknown>
    }
    readonly events: { retrieve(id: string): Promise<unknown> }
  }

  const newClient: (key: string) => Client
  export = newClient
}
