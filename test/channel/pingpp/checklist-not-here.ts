/** Lines of the Ping++ dossier's checklist that the channel's tests do not hold, and why. */
export const CHECKLIST_NOT_HERE: Readonly<Record<number, string>> = {}

export const CHECKLIST_LINES = 40
