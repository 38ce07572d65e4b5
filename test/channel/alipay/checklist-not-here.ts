/** Lines of the Alipay dossier's checklist that neither the channel's tests nor its refunds' flow hold, and why. */
export const CHECKLIST_NOT_HERE: Readonly<Record<number, string>> = {
  29: 'The v3 interface is not used; vector.test.ts shows that our key signs D7 and D8.',
  30: 'The v3 interface is not used.',
  31: 'The v3 interface is not used; vector.test.ts checks D9.',
  32: 'The v3 interface is not used.',
  39: 'Payment codes (alipay.trade.pay) are not built.',
  40: 'Payment codes (alipay.trade.pay) are not built.',
  48: 'Unique event keys and state guards are the database’s.',
  71: 'No test here speaks to the sandbox; its 20000 and time-outs are line 22.',
}

export const CHECKLIST_LINES = 71
