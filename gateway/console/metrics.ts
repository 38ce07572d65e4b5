import type { Metric } from '#db/metrics'
import type { CallbackCounter } from '../counter.ts'

const PREFIX = 'pingzhang'

/** Prometheus text format, version 0.0.4. Label values are our own words. */
export function writeMetrics(metrics: readonly Metric[], callbacks: CallbackCounter): string {
  const lines = metrics.map(({ name, label, value }) =>
    lineOf(name, label === '' ? {} : { kind: label }, value),
  )
  const counted = callbacks
    .list()
    .map(({ channel, outcome, count }) => lineOf('callbacks_total', { channel, outcome }, count))
  return `${[...lines, ...counted].join('\n')}\n`
}

function lineOf(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const text = Object.entries(labels)
    .map(([key, label]) => `${key}="${label.replaceAll(/["\\\n]/g, '_')}"`)
    .join(',')
  return `${PREFIX}_${name}${text === '' ? '' : `{${text}}`} ${value}`
}
