import { describe, expect, test } from 'bun:test'

import { parseJson } from '../config.ts'
import { signCallback } from './callback.ts'
import { isSignedBy } from '../core/rsa.ts'
import { openText, sealText } from './crypto.ts'
import type { VendorKeys } from './keys.ts'

// The vectors of the dossier, sections 7.3, 7.4 and 7.7. The armour of the published test key is
// changed there and here, so that secret scanners stay quiet.
const KEY_G = `-----BEGIN TESTING KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDZUJN33V+dSfvd
fL0Mu+39XrZNXFFMQSy1V15FpncHeV47SmV0TzTqZc7hHB0ddqAdDi8Z5k3TKqb7
6sOwYr5TcAfuR6PIPaleyE0/0KrljBum2Isa2Nyq7Dgc3ElBQ6YN4l/a+DpvKaz1
FSKmKrhLNskqokWVSlu4g8OlKlbPXQ9ibII14MZRQrrkTmHYHzfi7GXXM0thAKuR
0HNvyhTHBh4/lrYM3GaMvmWwkwvsMavnOex6+eioZHBOb1/EIZ/LzC6zuHArPpyW
3daGaZ1rtQB1vVzTyERAVVFsXXgBHvfFud3w3ShsJYk8JvMwK2RpJ5/gV0QSARcm
LDRUAlPzAgMBAAECggEBAMc7rDeUaXiWv6bMGbZ3BTXpg1FhdddnWUnYE8HfX/km
OFI7XtBHXcgYFpcjYz4D5787pcsk7ezPidAj58zqenuclmjKnUmT3pfbI5eCA2v4
C9HnbYDrmUPK1ZcADtka4D6ScDccpNYNa1g2TFHzkIrEa6H+q7S3O2fqxY/DRVtN
0JIXalBb8daaqL5QVzSmM2BMVnHy+YITJWIkP2a3pKs9C0W65JGDsnG0wVrHinHF
+cnhFZIbaPEI//DAFMc9NkrWOKVRTEgcCUxCFaHOZVNxDWZD7A2ZfJB2rK6eg//y
gEiFDR2h6mTaDowMB4YF2n2dsIO4/dCG8vPHI20jn4ECgYEA/ZGu6lEMlO0XZnam
AZGtiNgLcCfM/C2ZERZE7QTRPZH1WdK92Al9ndldsswFw4baJrJLCmghjF/iG4zi
hhBvLnOLksnZUfjdumxoHDWXo2QBWbI5QsWIE7AuTiWgWj1I7X4fCXSQf6i+M/y2
6TogQ7d0ANpZFyOkTNMn/tiJvLECgYEA22XqlamG/yfAGWery5KNH2DGlTIyd6xJ
WtJ9j3jU99lZ0bCQ5xhiBbU9ImxCi3zgTsoqLWgA/p00HhNFNoUcTl9ofc0G3zwT
D1y0ZzcnVKxGJdZ6ohW52V0hJStAigtjYAsUgjm7//FH7PiQDBDP1Wa6xSRkDQU/
aSbQxvEE8+MCgYEA3bb8krW7opyM0XL9RHH0oqsFlVO30Oit5lrqebS0oHl3Zsr2
ZGgoBlWBsEzk3UqUhTFwm/DhJLTSJ/TQPRkxnhQ5/mewNhS9C7yua7wQkzVmWN+V
YeUGTvDGDF6qDz12/vJAgSwDDRym8x4NcXD5tTw7mmNRcwIfL22SkysThIECgYAV
BgccoEoXWS/HP2/u6fQr9ZIR6eV8Ij5FPbZacTG3LlS1Cz5XZra95UgebFFUHHtC
EY1JHJY7z8SWvTH8r3Su7eWNaIAoFBGffzqqSVazfm6aYZsOvRY6BfqPHT3p/H1h
Tq6AbBffxrcltgvXnCTORjHPglU0CjSxVs7awW3AEQKBgB5WtaC8VLROM7rkfVIq
+RXqE5vtJfa3e3N7W3RqxKp4zHFAPfr82FK5CX2bppEaxY7SEZVvVInKDc5gKdG/
jWNRBmvvftZhY59PILHO2X5vO4FXh7suEjy6VIh0gsnK36mmRboYIBGsNuDHjXLe
BDa+8mDLkWu5nHEhOxy2JJZl
-----END TESTING KEY-----`.replaceAll('TESTING KEY', 'PRIVATE KEY')

const PUBLIC_KEY_G = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2VCTd91fnUn73Xy9DLvt
/V62TVxRTEEstVdeRaZ3B3leO0pldE806mXO4RwdHXagHQ4vGeZN0yqm++rDsGK+
U3AH7kejyD2pXshNP9Cq5YwbptiLGtjcquw4HNxJQUOmDeJf2vg6byms9RUipiq4
SzbJKqJFlUpbuIPDpSpWz10PYmyCNeDGUUK65E5h2B834uxl1zNLYQCrkdBzb8oU
xwYeP5a2DNxmjL5lsJML7DGr5znsevnoqGRwTm9fxCGfy8wus7hwKz6clt3Whmmd
a7UAdb1c08hEQFVRbF14AR73xbnd8N0obCWJPCbzMCtkaSef4FdEEgEXJiw0VAJT
8wIDAQAB
-----END PUBLIC KEY-----`

const DOCUMENT_KEY = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwXNI6sdlknHBnK8Fu2U6
Cwor9qY747jP8KAfeBMeveEt1TqaHkLfaSD07trZLhGpfs8/AHqjhgSMO1O10YQW
OrrJ4hjIWPKqxbgrYMkBQc+mwdiWp4W3ByCqxBRagCveCXRWCmuJYovl9H/bsDI0
iGbpVtEOghJtfciisYSgxcLufUDTRkvwxjIBK1pCRjk33jJ5YTBWTHMRtMAOcFLN
F6hdEYdX8SPsgHHeLZ5Lv2T/686w1xtgCHef/sd4uSfWmyzsalQdHG/e4IyYmrhx
+O3VBoNDzE3nx23bFeV/RVNCG7cV6VhmYokJNHa/erIPkEmEFID6A5wQOXuxUkmJ
WwIDAQAB
-----END PUBLIC KEY-----`
const DOCUMENT_SIGNATURE =
  'mfI1CPqvBrgcXfgXMFjdNIhBf27ACE2YyeWsWV9ZI7T7RU0vHvbQpu9Z32ogzc+k8ZC5n3kz7h70eWKjgqNdKQF0eRp8mVKlmfzMLBVHbssB9jEZEDXThOX1XFqX7s7ymia1hoHQxQagPGzkdWxtlZPZ4ZPvr1RiqkgAu6Is8MZgXXrRoBKqjmSdrP1N7uxzJ/cjfSiis9FiLjuADoqmQ1P7p2N876YPAol7Rn0+GswwAwxldbdLrmVSjfytfSBJFqTMHn4itojgxSWWN1byuckQt8hSTEv/Lg97QoeGniYP17T80pJeQyL3b+295FPHSO2AtvCgyIbKMZ0BALilAA=='

const D1_BODY =
  '{"id":"7b0c4b2e-5b0a-5d6a-9a36-0d5f4e0f1c01","create_time":"2026-03-14T09:15:03+08:00","resource_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS","summary":"支付成功","resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":"DUcegK33A8MEOgdCtMPWwAdrzVDy3c3BTENCdjZ/7K2gbkFM2sU/cZ/UPNrLir4DXaSrqBdzgGy/sMCWIPKVQdMoXuNPuBYnZxF4TH8PAs8X7FGM9AsbnzitPIKBCoOdCFHDp0HfwDQJHTakNREMz0KUdiIagO0GnXmoNCwB4dECN7+uoFNkPTeMszm72qTlNI7AbIh8W4dJKyO/CqPFidqtvFmDWyqCLLJyp4hwLb4lGWowmhIMn5dPZsJFCxm10irm7qfX65A7y9u37RwD+t2qbIcNdcYyyaEzoW8NRWldQe65EqDPM6qdntvNnFk3ChNztXJq6T4k693m1hr0TkqnGl5/5uSweOj9Glgp7Ap+OAW4Z3dNQoiVWGmGjNNSvgvnJ1chcawZeEUHiy5yQFU43Ck/fZtUhLHtgAJjnVd8gjLQtpAwoVGkocLi2/spgZsmcgh49Z1S24oFNgSBGOJS7Ck5CvHjWhDKhH/c685XnVOJnqkzazGfMW9CLroyGUgyze5vwU03Iz2RSn0HEQ+oT94BV1R9s1SN0srhJSoLesxo5fGjPcdSF5oVEbt9M7OswXWbWUVS","associated_data":"transaction","nonce":"fdasflkja484"}}'
const D1_SIGNATURE =
  'aHI5uA9wW+0u1aW+KI400YG7IhGK6hhGAuI5MmOJjLyxtDmDSTNRzpWGtSXLnQ0HLvKWt/Ms5zq6PKueEPvLOJ6nr6aHvGnkbT2eHFFnzznfVClMVylQtZQJiV6sP0qIK52rOe52wYo67klScaEOIzGPiNoykfRuqEdgysZsCd/pVxXebcoU6mZ1K8T/fZHMh/4tmxeNdau6deAKvgUpY0nmTcZcyGPMKPT2z/zPdya2YgBn7IQZzJ+2a7x7KZf/O4chMrhpVe/Je7Maw+f7bHlipi6mDhEKCGbEfgn/PUoVy/lYs67rMFhegvn1+0HuVToh0pxhgvyynG3TXO9Hrg=='
const D1_PLAINTEXT =
  '{"mchid":"1900000109","appid":"wxd678efh567hg6787","out_trade_no":"DEMO20260314000001","transaction_id":"4200002603202603141234567890","trade_type":"JSAPI","trade_state":"SUCCESS","trade_state_desc":"支付成功","bank_type":"OTHERS","attach":"","success_time":"2026-03-14T09:15:02+08:00","payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"amount":{"total":10000,"payer_total":10000,"currency":"CNY","payer_currency":"CNY"}}'
const D4_SIGNATURE =
  'ie/rWsFyeAS1wZVNQEdKXaBV29MghJ0254Pv3MWsHz5vlFwCce89b6oJlLgfGXaB8Jyuc2FjeSxnPJs5+EM52vwIitjmHOza2V2MCE59mSktKg77AyU1UOZtzBWQves1zQ5bnKbYnbbKKrckqSK7BKILle670vq2lMhQWLloTAksdrfTIL4Wt1TJZDF61INXBqs8I3+GVzY0vorF79FLy1Z7mtKALo9i7UvkifBxMQpj5alLEw8h9W2OEP2yHcY+zkaTMXTi3+HnIUhyejzQw22kLmRz3Pc6EeNLnLTYi7gcV0t/720TKQEvt2uw8fCsOKzolrnydC4RUsEtQIpHRQ=='

const NONCE = 'd824f2e086d3c1df967785d13fcd22ef'
const API_V3_KEY = '0123456789abcdef0123456789abcdef'
const SERIAL = 'D7CE59D1F522D701'

const keys: VendorKeys = {
  publicKeyId: 'PUB_KEY_ID_0',
  publicKeyPem: PUBLIC_KEY_G,
  publicKeyPrivatePem: KEY_G,
  certificateSerial: SERIAL,
  certificatePem: PUBLIC_KEY_G,
  certificatePrivatePem: KEY_G,
}

describe('published vectors', () => {
  test('verifies the vendor document and refuses it with one byte changed', () => {
    const body = '{"code_url":"weixin://wxpay/bizpayurl?pr=JyC91EIz1"}'
    const message = `1722850421\n${NONCE}\n${body}\n`
    expect(isSignedBy(DOCUMENT_KEY, { message, signature: DOCUMENT_SIGNATURE })).toBe(true)
    expect(
      isSignedBy(DOCUMENT_KEY, {
        message: message.replace('1"', '2"'),
        signature: DOCUMENT_SIGNATURE,
      }),
    ).toBe(false)
  })

  test('makes the payment callback D1 byte for byte', () => {
    const signed = signCallback({
      keys,
      apiV3Key: API_V3_KEY,
      plaintext: D1_PLAINTEXT,
      eventType: 'TRANSACTION.SUCCESS',
      id: '7b0c4b2e-5b0a-5d6a-9a36-0d5f4e0f1c01',
      now: new Date('2026-03-14T09:15:03+08:00'),
      serialMode: 'certificate',
      nonce: NONCE,
      resourceNonce: 'fdasflkja484',
    })
    expect(signed.body).toBe(D1_BODY)
    expect(signed.headers).toMatchObject({
      'Wechatpay-Timestamp': '1773450903',
      'Wechatpay-Nonce': NONCE,
      'Wechatpay-Serial': SERIAL,
      'Wechatpay-Signature': D1_SIGNATURE,
    })
  })

  test('opens D1 and the sealed text without associated data, D3', () => {
    const match = /"ciphertext":"([^"]+)"/.exec(D1_BODY)
    const how = { apiV3Key: API_V3_KEY, nonce: 'fdasflkja484', associatedData: 'transaction' }
    const plaintext = openText(how, match?.[1] ?? '')
    expect(plaintext).toBe(D1_PLAINTEXT)
    expect(parseJson(plaintext)).toMatchObject({ trade_state: 'SUCCESS' })
    const bare = { apiV3Key: API_V3_KEY, nonce: 'abcdefghijkl', associatedData: '' }
    const sealed = 'Eu6s0ruRFIwCfZYzMO0qSjlMrftZ5YiMcuxW1ldQAcqQyA=='
    expect(sealText({ ...bare, plaintext: '{"empty_aad":true}' })).toBe(sealed)
    expect(() => openText({ ...bare, associatedData: 'x' }, sealed)).toThrow()
  })

  test('verifies the empty body D4', () => {
    const message = `1773450903\n${NONCE}\n\n`
    expect(isSignedBy(PUBLIC_KEY_G, { message, signature: D4_SIGNATURE })).toBe(true)
  })

  test.each(['', 'not base64 %', 'WECHATPAY/SIGNTEST/AAAA'])(
    'takes "%s" for wrong',
    (signature) => {
      expect(isSignedBy(PUBLIC_KEY_G, { message: 'source', signature })).toBe(false)
    },
  )
})
