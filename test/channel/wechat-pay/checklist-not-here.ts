/** Lines of the WeChat Pay dossier's checklist that the channel's tests do not hold, and why. */
export const CHECKLIST_NOT_HERE: Readonly<Record<number, string>> = {
  7: 'Partner mode is not built: every account is a direct merchant.',
  29: 'The schedule of refreshes, and keeping old keys when one fails, is the worker’s; fetchKeys throws and changes nothing.',
  30: 'Sensitive fields are not built: no call of ours has one to encrypt.',
  40: 'Code payment is not built.',
  41: 'Combined orders are not built; a combined notification is kept as unreadable.',
  48: 'The sweep over open payments is the worker’s; the pace is a capability of the channel.',
  51: 'Unique event keys and state guards are the database’s.',
  54: 'The order of events is decided under the order’s lock by the worker.',
  75: 'Clock drift is watched by the worker; here it shows as the reason "stale".',
  76: 'Throttling belongs to the worker’s queues; 429 is unknown here and never repeated at once.',
}

export const CHECKLIST_LINES = 77
