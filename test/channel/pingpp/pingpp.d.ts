/** The part of the vendor's own client that the tests use; it brings no types. */
declare module 'pingpp' {
  interface Resource {
    create(parameters: object): Promise<unknown>
    retrieve(id: string): Promise<unknown>
    list(parameters: object): Promise<unknown>
    createRefund(id: string, parameters: object): Promise<unknown>
    retrieveRefund(id: string, refund: string): Promise<unknown>
    listRefunds(id: string, parameters: object): Promise<unknown>
  }

  interface Client extends Readonly<Record<'charges', Resource>> {
    setHost(host: string, port: string, protocol: 'http'): void
    setPrivateKey(pem: string): void
  }

  const newClient: (secret: string) => Client
  export { newClient as default }
}

declare module 'pingpp/lib/utils.js' {
  const utils: {
    generateSign(text: string, privatePem: string): string
    stringifyRequestData(parameters: object): string
  }
  export { utils as default }
}
