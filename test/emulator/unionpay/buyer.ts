import { encodeText, parseCharset } from './charset.ts'
import { writeFields } from './message.ts'
import type { BuyerAction } from './page.ts'
import type { PostForm } from './vendor.ts'

/** The cashier page, as a browser has it after the merchant's form was posted. */
export interface CashierPage {
  readonly status: number
  readonly html: string
  /** The page is an error page with this code: there is nothing to press. */
  readonly errorCode: string | undefined
  /** Presses a button; `wait` leaves the bank thinking, `cancel` leaves. */
  press(action: BuyerAction): Promise<ResultPage>
}

export interface ResultPage {
  readonly status: number
  readonly html: string
  /** The way back to the merchant, if the vendor offers one. */
  readonly returnForm: PostForm | undefined
}

/** Opens a merchant's form as the buyer's browser does. */
export async function openCashier(form: PostForm): Promise<CashierPage> {
  const response = await postForm(form)
  const html = await response.text()
  const [cashier] = readForms(html)
  const errorCode = /id="error" data-code="(\w*)"/.exec(html)?.[1]
  const press = async (action: BuyerAction): Promise<ResultPage> => {
    if (cashier === undefined) throw new Error(`expected a cashier page, got an error ${errorCode}`)
    const address = new URL(cashier.action, form.action).href
    const result = await postForm({ action: address, fields: { action } })
    const resultHtml = await result.text()
    return { status: result.status, html: resultHtml, returnForm: readForms(resultHtml)[0] }
  }
  return { status: response.status, html, errorCode, press }
}

/** Posts a form as a browser does, in the charset that its `encoding` names, and follows nothing. */
export function postForm({ action, fields }: PostForm): Promise<Response> {
  const charset = parseCharset(fields['encoding']) ?? 'UTF-8'
  return fetch(action, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: writeFields(fields, { charset, escapes: 'plus' }),
    redirect: 'manual',
  })
}

/** The forms of a page, with their hidden inputs. */
export function readForms(html: string): readonly PostForm[] {
  const forms: { action: string; fields: Record<string, string> }[] = []
  const rewriter = new HTMLRewriter()
    .on('form', {
      element: (form) => {
        forms.push({ action: unescapeHtml(form.getAttribute('action') ?? ''), fields: {} })
      },
    })
    .on('form input[name]', {
      element: (input) => {
        const name = unescapeHtml(input.getAttribute('name') ?? '')
        const value = unescapeHtml(input.getAttribute('value') ?? '')
        const form = forms.at(-1)
        if (form !== undefined) form.fields[name] = value
      },
    })
  rewriter.transform(Buffer.from(encodeText(html, 'UTF-8')).toString())
  return forms
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}

const unescapeHtml = (text: string): string =>
  text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (all, decimal, hex, name: string) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(String(hex), 16))
    return ENTITIES[name] ?? all
  })
