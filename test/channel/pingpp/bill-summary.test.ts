import { describe, expect, test } from 'bun:test'
import callback from '../../fixture/pingpp/callback.json'
import { contentOf } from '../support.ts'
import { second } from './bill-support.ts'
import { app, eventOf, read, vendorHeaders } from './support.ts'

const TYPE = 'summary.daily.available'

/** Rebuilt from the model of the vendor's Java client (dossier, section 4.1): no body of it is published. */
const summary = (changes: Readonly<Record<string, unknown>> = {}) => ({
  object: 'app_daily_summary',
  acct_id: 'acct_0eHSiDyzv9G09ejT',
  app_id: app,
  acct_display_name: 'xx公司',
  app_display_name: 'xx应用',
  created: second('2026-03-15T04:00:12'),
  summary_from: second('2026-03-14T00:00:00'),
  summary_to: second('2026-03-14T23:59:59'),
  charges_amount: 3299,
  charges_count: 4,
  ...changes,
})

const readSummary = async (object: unknown, changes: Readonly<Record<string, unknown>> = {}) =>
  contentOf(await read(eventOf(object, { type: TYPE, ...changes })))

describe('the summary of a day', () => {
  test('pingpp checklist 39: is read with its day in China, and is one whatever its event', async () => {
    const content = await readSummary(summary())
    expect(content.facts).toEqual({
      kind: 'other',
      eventType: TYPE,
      summary: { number: app, businessDate: '2026-03-14', count: '4', minor: '3299' },
    })
    expect(content.eventKey).toBe(`summary:${app}:2026-03-14`)
    const again = await readSummary(summary({ charges_count: 5 }), { id: 'evt_another' })
    expect(again.eventKey).toBe(content.eventKey)
    expect(again.facts).not.toEqual(content.facts)
  })

  test('of a day without business says so', async () => {
    const { facts } = await readSummary(summary({ charges_amount: 0, charges_count: 0 }))
    expect(facts).toMatchObject({ summary: { count: '0', minor: '0' } })
  })

  test.each([
    ['of a whole account', { object: 'account_daily_summary' }],
    ['of a week', { summary_to: second('2026-03-20T23:59:59') }],
    ['of a day elsewhere', { summary_from: Date.parse('2026-03-14T00:00:00Z') / 1000 }],
    ['with a sum that is text', { charges_amount: '3299' }],
    ['with a sum that is broken', { charges_amount: 1.5 }],
    ['with a count below nothing', { charges_count: -1 }],
    ['without an app', { app_id: undefined }],
    ['of a time that no clock has', { summary_from: 1e300 }],
  ])('%s is news like any other', async (_name, changes) => {
    const content = await readSummary(summary(changes))
    expect(content.facts).toEqual({ kind: 'other', eventType: TYPE })
    expect(content.eventKey).toBe('evt:evt_400260314000000000000001')
  })

  test('under another name is news like any other', async () => {
    const { facts } = contentOf(
      await read(eventOf(summary(), { type: 'summary.weekly.available' })),
    )
    expect(facts).toEqual({ kind: 'other', eventType: 'summary.weekly.available' })
  })

  test('that the vendor published is of an account, under a name of old', async () => {
    const { body = '' } = callback.vectors.find(({ name }) => name === 'B') ?? {}
    const live = body.replace('"livemode":false', '"livemode":true')
    const { facts } = contentOf(await read(live, vendorHeaders(live)))
    expect(facts).toEqual({ kind: 'other', eventType: 'account.summary.available' })
  })
})
