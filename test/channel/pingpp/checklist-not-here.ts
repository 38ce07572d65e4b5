const BILLS = 'The daily list in place of a bill is not built yet.'

/** Lines of the Ping++ dossier's checklist that the channel's tests do not hold, and why. */
export const CHECKLIST_NOT_HERE: Readonly<Record<number, string>> = {
  38: BILLS,
  39: BILLS,
}

export const CHECKLIST_LINES = 40
