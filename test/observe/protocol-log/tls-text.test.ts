import { X509Certificate } from 'node:crypto'
import { expect, it } from 'vitest'
import { certificateText, negotiatedText } from '../../../src/observe/protocol-log/tls-text.ts'
import { makeCertificates } from '../../support/certificates.ts'

it('tells TLS in the words by which reports search for it', () => {
  const cipher = 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'
  expect(negotiatedText('receive', { protocol: 'TLSv1.2', cipher, keyBits: 256 })).toBe(
    'TLS protocol SP_PROT_TLS1_2_SERVER negotiation succeeded using bulk encryption algorithm CALG_AES_256 with strength 256 bits, ' +
      'MAC hash algorithm CALG_SHA_384 with strength 384 bits and key exchange algorithm CALG_ECDH_EPHEM with strength 256 bits',
  )
})

it.each<[string, string, string]>([
  [
    'TLSv1.3',
    'TLS_AES_128_GCM_SHA256',
    'SP_PROT_TLS1_3_CLIENT … CALG_AES_128 128, CALG_SHA_256 256, CALG_ECDH_EPHEM',
  ],
  [
    'TLSv1.3',
    'TLS_CHACHA20_POLY1305_SHA256',
    'SP_PROT_TLS1_3_CLIENT … CHACHA20_POLY1305 256, CALG_SHA_256 256, CALG_ECDH_EPHEM',
  ],
  [
    'TLSv1.2',
    'TLS_RSA_WITH_AES_128_CBC_SHA',
    'SP_PROT_TLS1_2_CLIENT … CALG_AES_128 128, CALG_SHA1 160, CALG_RSA_KEYX',
  ],
  [
    'TLSv1.2',
    'TLS_DHE_RSA_WITH_AES_256_GCM_SHA384',
    'SP_PROT_TLS1_2_CLIENT … CALG_AES_256 256, CALG_SHA_384 384, CALG_DH_EPHEM',
  ],
])('knows %s with %s', (protocol, cipher, known) => {
  const text = negotiatedText('send', { protocol, cipher, keyBits: 0 })
  const [, version, ...strengths] =
    /protocol (\S+) .* encryption algorithm (\S+) with strength (\d+) .* hash algorithm (\S+) with strength (\d+) .* exchange algorithm (\S+)/.exec(
      text,
    )!
  expect(
    `${version} … ${strengths[0]} ${strengths[1]}, ${strengths[2]} ${strengths[3]}, ${strengths[4]}`,
  ).toBe(known)
})

it('tells of a certificate whom it names, by whom, and until when', () => {
  const certificates = makeCertificates()
  const certificate = new X509Certificate(certificates.good.cert)
  certificates.remove()
  expect(certificateText(certificate)).toMatch(
    /^CN=good of a test CN=root of a test [0-9A-F]+ [0-9A-F]{40} \d{4}-\d\d-\d\dT\S+Z 2099-01-01T00:00:00\.000Z smtp\.example\.com$/,
  )
})
