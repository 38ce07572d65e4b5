export interface TlsPair {
  readonly cert: string
  readonly key: string
}

const EC = { name: 'ECDSA', namedCurve: 'P-256' } as const

/** A certificate of a name, by itself, as a shop has that nobody vouches for. */
export async function makeTlsPair(name: string): Promise<TlsPair> {
  // x509 registers its parts with tsyringe, which needs the metadata polyfill first.
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name}`,
      keys,
      signingAlgorithm: { ...EC, hash: 'SHA-256' },
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }])],
    },
    crypto,
  )
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  const lines = pkcs8.toString('base64').match(/.{1,64}/g) ?? []
  const key = ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n')
  return { cert: certificate.toString('pem'), key }
}
