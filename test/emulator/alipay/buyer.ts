/** A form as a page shows it, or as our API hands it out. */
export interface PaymentForm {
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
}

/** The buyer's browser submits the form; the answer is the cashier, or the vendor's debugging page. */
export const submitForm = ({ action, fields }: PaymentForm): Promise<Response> =>
  fetch(action, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' })

/** Reads the only form of a page. Throws if there is none. */
export function readForm(html: string): PaymentForm {
  const form = html.match(/<form[^>]*>/)?.[0]
  const action = form && attributeOf(form, 'action')
  if (!action) throw new Error('expected a form with an action')
  const inputs = html.match(/<input[^>]*>/g) ?? []
  const fields = inputs.map((input) => [attributeOf(input, 'name'), attributeOf(input, 'value')])
  return { action, fields: Object.fromEntries(fields) }
}

const attributeOf = (tag: string, name: string): string =>
  unescape(tag.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1] ?? '')

const unescape = (text: string): string =>
  text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&#x27;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
