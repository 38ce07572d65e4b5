/** The server draws every state; the script only counts down and asks for the page again. */
export const SCRIPT = `
'use strict';
const RELOAD_MS = 10000;
const box = document.getElementById('payment');
const again = () => location.reload();
const left = Number(box.dataset.remainingMs);
if (left > 0) {
  const end = performance.now() + left;
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    document.getElementById('countdown').textContent =
      Math.floor(seconds / 60) + ':' + String(seconds % 60).padStart(2, '0');
    if (seconds === 0) { clearInterval(timer); setTimeout(again, 1000); }
  };
  const timer = setInterval(tick, 1000);
}
const source = new EventSource(box.dataset.id + '/events');
source.addEventListener('state', (event) => {
  if (JSON.parse(event.data).state === box.dataset.state) return;
  source.close();
  again();
});
source.addEventListener('error', () => {
  if (source.readyState === EventSource.CLOSED) setTimeout(again, RELOAD_MS);
});
`

/**
 * Hands the parameters to the wallet that the page is open in. What the wallet says afterwards proves
 * nothing: the events tell when the money has come.
 */
export const BRIDGE = `
const bridge = document.getElementById('bridge');
const calls = {
  wechat: {
    ready: 'WeixinJSBridgeReady',
    isThere: () => typeof WeixinJSBridge !== 'undefined',
    pay: (params) => WeixinJSBridge.invoke('getBrandWCPayRequest', params, () => {}),
  },
  alipay: {
    ready: 'AlipayJSBridgeReady',
    isThere: () => typeof AlipayJSBridge !== 'undefined',
    pay: (params) => AlipayJSBridge.call('tradePay', params, () => {}),
  },
};
if (bridge !== null) {
  const call = calls[bridge.dataset.app];
  const pay = () => call.pay(JSON.parse(bridge.dataset.params));
  bridge.addEventListener('click', () => {
    if (call.isThere()) pay();
    else document.addEventListener(call.ready, pay, { once: true });
  });
}
`
