/** Published webhooks and derived request signatures (dossier 8.1, 8.2), byte for byte. */

export interface PublishedEvent {
  readonly body: string
  readonly sha256: string
  readonly signature: string
  readonly publicKeyPem: string
}

export const EVENT_A: PublishedEvent = {
  body: '{"id":"evt_eYa58Wd44Glerl8AgfYfd1sL","created":1434368075,"livemode":true,"type":"charge.succeeded","data":{"object":{"id":"ch_bq9IHKnn6GnLzsS0swOujr4x","object":"charge","created":1434368069,"livemode":true,"paid":true,"refunded":false,"app":"app_vcPcqDeS88ixrPlu","channel":"wx","order_no":"2015d019f7cf6c0d","client_ip":"140.227.22.72","amount":100,"amount_settle":0,"currency":"cny","subject":"An Apple","body":"A Big Red Apple","extra":{},"time_paid":1434368074,"time_expire":1434455469,"time_settle":null,"transaction_no":"1014400031201506150354653857","refunds":{"object":"list","url":"/v1/charges/ch_bq9IHKnn6GnLzsS0swOujr4x/refunds","has_more":false,"data":[]},"amount_refunded":0,"failure_code":null,"failure_msg":null,"metadata":{},"credential":{},"description":null}},"object":"event","pending_webhooks":0,"request":"iar_Xc2SGjrbdmT0eeKWeCsvLhbL"}',
  sha256: 'b91b8046502bfecbf6ec8eb9969128e0035413f4b638b57c27081804e3c0b499',
  signature:
    'BX5sToHUzPSJvAfXqhtJicsuPjt3yvq804PguzLnMruCSvZ4C7xYS4trdg1blJPh26eeK/P2QfCCHpWKedsRS3bPKkjAvugnMKs+3Zs1k+PshAiZsET4sWPGNnf1E89Kh7/2XMa1mgbXtHt7zPNC4kamTqUL/QmEVI8LJNq7C9P3LR03kK2szJDhPzkWPgRyY2YpD2eq1aCJm0bkX9mBWTZdSYFhKt3vuM1Qjp5PWXk0tN5h9dNFqpisihK7XboB81poER2SmnZ8PIslzWu2iULM7VWxmEDA70JKBJFweqLCFBHRszA8Nt3AXF0z5qe61oH1oSUmtPwNhdQQ2G5X3g==',
  publicKeyPem: [
    '-----BEGIN PUBLIC KEY-----',
    'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAy0d0QxZFYeHXGeWWneib',
    '4Q0jUFjj4ro7bMnIJ8DjZ4w2NtLJi8p1mcFMbrIS5g95U5FUBCfAZXFb2QIaJfft',
    'BByCQRbon7Jb97XoTP6kfk65tLz8Q9Cank1Ah/qivPIY0aNwvq8stedq9rcuJ6OQ',
    'ncbfQ1217/Za50vKotYa+MEcFo9Y65biEmzq7BZeNYzuU4dGrPaCi917cfwNa8ey',
    'ZSpoIOBe8e5JGOtZKCfgsgfecbXxdh6jq8Qn6mmrJILapEdxlj4xfzBzAuM3snqt',
    '5XnDzzFWlI5Z+4lhyZr7eFVmnQSqn1HWt4VPzz/EWvxP8Rkvy89XuRXBAiO3/7Ur',
    '8wIDAQAB',
    '-----END PUBLIC KEY-----',
    '',
  ].join('\n'),
}

export const EVENT_B: PublishedEvent = {
  body: '{"id":"evt_04qN8cXQvIhssduhS4hpqd9p","created":1427555016,"livemode":false,"type":"account.summary.available","data":{"object":{"acct_id":"acct_0eHSiDyzv9G09ejT","object":"account_daily_summary","acct_display_name":"xx公司","created":1425139260,"summary_from":1425052800,"summary_to":1425139199,"charges_amount":1000,"charges_count":100}},"object":"event","pending_webhooks":2,"request":null,"scope":"acct_1234567890123456","acct_id":"acct_1234567890123456"}',
  sha256: 'ac53ac1aa8f6ea2ddd28dff89e408daa21f1c3889743630ef05720fa6a4b9ccb',
  signature:
    'PcU0SMJhbPObiIVinNnalZOjI02koWozxLrxa3WQW3rK/n7I+EuVGuXvhsq2MIfUaNiHZDgRFYybGtKr1uuFzEXjA4PwmnDHfWgwRPdjgseoU0eke6ZqGpklBRVTbF6PUy6/vAqur4xb7h1wpdrteUpCPafzDmVPsQLicdojJ/TF9ACjQW8gTNiS6tE9gL5hxy0RJ3/okRJo6dz2pvJBWkjCrgp/r98z/LQijA1o//atZrH63+DcL/GwEOgaymqbodzusXF+g6WMJ/GTJgjdPRHvpO9UAAUKkOQqvwthJvsXIH/L1xqvy+tFpo2J0Ptwg85bowKoyy1qC5ak3sqWqw==',
  publicKeyPem: [
    '-----BEGIN PUBLIC KEY-----',
    'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzs8SiPoFQT9K0lWa6WSx',
    '0d6UnA391KM2aFwijY0AK7r+MiAe07ivenopzFL3dqIRhQjuP7d30V85kWydN5UZ',
    'cm/tZgm4K+8wttb988hOrzSjtPOMghHK+bnDwE8FIB+ZbHAZCEVhNfE6i9kLGbHH',
    'Q617+mxUTJ3yEZG9CIgke475o2Blxy4UMsRYjo2gl5aanzmOmoZcbiC/R5hXSQUH',
    'XV9/VzA7U//DIm8Xn7rerd1n8+KWCg4hrIIu/A0FKm8zyS4QwAwQO2wdzGB0h15t',
    'uFLhjVz1W5ZPXjmCRLzTUoAvH12C6YFStvS5kjPcA66P1nSKk5o3koSxOumOs0iC',
    'EQIDAQAB',
    '-----END PUBLIC KEY-----',
    '',
  ].join('\n'),
}

export const EVENT_C: PublishedEvent = {
  body: '{"id":"evt_400240816160755820469807","created":1723795675,"livemode":false,"type":"charge.succeeded","data":{"object":{"id":"ch_100240816592822384640019","object":"charge","created":1723795492,"livemode":false,"paid":true,"refunded":false,"reversed":false,"app":"app_eTC8yLuj9GSSL0yv","channel":"wx_pub","order_no":"1723795491985uqclqj7","client_ip":"127.0.0.1","amount":100,"amount_settle":100,"currency":"cny","subject":"Your Subject","body":"Your Body","extra":{"open_id":"o7xEMsySBFG3MVHI-9VsAJX-j50W","limit_pay":"no_credit","bank_type":"your bank type"},"time_paid":1723795675,"time_expire":1723802692,"time_settle":null,"transaction_no":"1290362656202408163243920572","refunds":{"object":"list","url":"/v1/charges/ch_100240816592822384640019/refunds","has_more":false,"data":[]},"amount_refunded":0,"failure_code":null,"failure_msg":null,"metadata":{},"credential":{},"description":null}},"object":"event","request":"iar_mrrvj9ivPOaHPOi9aLPWPqvT","pending_webhooks":0}',
  sha256: '41b96497e551c1b2d29688e5286d951af0bc536eb9cc7cf563de67f4144351ad',
  signature:
    'Ju5ItDM9Hblkm6Pbb/r3G9iM58oCtAUJlJDrOud0E23TUtGBxKYJSMcuTFbPgLGLKy5QHYovJJojjMjM1CMGCp82F+SOY1U2zuwzkAk0lVqhfQk+CWGpcyUzOtLOOblKidyuIb+axZDTIg4kK/JoOR2xMH3+cJD9BN6rtfzEDbHqyZIfv6n3y/LdZNhsXfQq+qoIRuLdHrFexk1USgk7SXFvH1pCOIt8o2+dryp/ixlNj1vGq57eE8sbEzPo72vxLtzPazlgR+67cS1bUxjzObh7YFbSSTJxkHDEIi3ipTpoiI7Kc5ng7EzsWgp3cAl7on5HztfFLfT8+Bjpdvtr6w==',
  publicKeyPem: [
    '-----BEGIN PUBLIC KEY-----',
    'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAoXV1qdwYGq6lac+EIVxx',
    '1/wGcjjy5InO08QBvUGDQMKAWjg/UvnNmnTZJvxUu18UVtwoHIls24EHZ96im3k0',
    'DPn43aSGyR417g9rqUL2N1H/0dCNcT8LY8sZL/sw/IV//IQcZYv/8EO6+7SClw+G',
    'Jpib84QfmDgUPbQC0dhl1R1Q8e8RoE/+70yX6OY22kRr14KjRZiVQ0UMZS5KaPwS',
    'FJ1egyNDCLFoLyhRQMV5vDxMdpIvxZuGW+3aTZkW8v/ISXWmSFpI/dlpxHp0+h6p',
    'sdai2RzXYuyzbeOPyQEZkyGfR6BX2Gv/l80nEFNup7uNmAt/be9IdpSZlxpF4HlI',
    '8wIDAQAB',
    '-----END PUBLIC KEY-----',
    '',
  ].join('\n'),
}

export const SAMPLE_MERCHANT_KEY = [
  '-----BEGIN PUBLIC KEY-----',
  'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAx2MktxcKBEqdYRi2IgYc',
  'upPQIN5cxgiBL5udCCBJBNBbXPaquOE1qspfhB1KUzHXATnCONiSzubLcBTnwi2t',
  'z0ErRCeJZSERRCpbKx4eu6b1neUTWkga7xpZxWONEvkmZo5Nlhf4fXRPUYnO/bdG',
  'CNGpQ/HSJfWLtzmhCqO1aJwVhcDmDMYz4bTkZavhFBdVyXf/8n7UKylk03eymlKJ',
  '1swQpeFcxaKfzsk1mJU7mc93mCWjaR+VWkNbw4AQHDyHgbzH+zYARzCluiy5hXdi',
  'xGEP+iO4ZBk48rEs1hKTvGz1k+jhLCdkdpBRjq0pK/htjA3Ce8pF2AJs+fgN6ZUu',
  'mQIDAQAB',
  '-----END PUBLIC KEY-----',
  '',
].join('\n')

export const REQUEST_TIMESTAMP = '1773454530'

export const POST_REQUEST = {
  method: 'POST',
  target: '/v1/charges',
  body: '{"order_no":"T20260314101530001","app":{"id":"app_1Gqj58ynP0mHeX1q"},"channel":"alipay_qr","amount":12800,"client_ip":"127.0.0.1","currency":"cny","subject":"测试商品","body":"测试商品描述","extra":{}}',
  sha256: '5aba209c89ab90709ec3eda0d3cf867e05aa51b01bc7df74706c85936231973b',
  signature:
    'DVrfDtunVqMM7GAy6rwek7KIMwRHCTomfTE7ymVhFB5VPfFpRGipA71NlTYThMPl/nG/YqxIPOfzTw87N1VZQa0zv0n1UfL8S51zyW/4WG5NcQpyLMr+RaUO3CsfpIKEgR5xeU3XauSKiIp2a/Aa2emIi2i8A9T363pOFqd5jq4q70WUazuuAZfxv18iYjel0H7uI1m/xrx5fAujbBvEzCcR2oZxSrKQgVV1Il7WrKFzCV1TBC+GLwTwIG6MP+QPvOnxBGxt7mVi+P1jcnKg9eQJIMzs3L0BuQzkbVp6vr1XzOtCi7xt8momV8zk3V0Cak8MC+Qa0na5t+p1tTZekQ==',
} as const

export const GET_REQUEST = {
  method: 'GET',
  target:
    '/v1/charges?app%5Bid%5D=app_1Gqj58ynP0mHeX1q&created%5Bgte%5D=1773417600&created%5Blt%5D=1773504000&limit=100',
  body: '',
  sha256: '11af41e17b6c5e3c98e28fc6dc3a1a51b4b03744a7a2c98d0ff0cedde4c8e026',
  signature:
    'euk633QlCBwjZIo6MMouV3mSr+oVp/iFaBOsccC1jbPDE+JB9udeUKe1e1qzTeP0eC5i9Gm9/KHxfkTbhQ2BbRY7R7jyhxq3IeizDfcyFnMInhL8/P/ozz4/dQoJNlKGBGJ/VNH7QBOkUPhSafUwSLC8/yqWNDc23hV4evGOuBjOjOX7ns7I8yXZDuiFFL32EXTvKw/VxUGiPGAEASRnGy7EcFn8HnyJPan3/VJcLrn6Q34nIgTpcyy6d/AYQtbm4njvHc7vWR5jQiHXz/r8L1nGv+0yhwH8+z1zCRyZPE6TbjiHY7V0/3maW/1w4fPrzuEJVxrbu5zJrHOPafuxYg==',
} as const
