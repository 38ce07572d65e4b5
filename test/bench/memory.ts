const MEBIBYTE = 1024 * 1024
const SAMPLE_MS = 100

/** Looks at this process's memory all the time. */
export function watchMemory(): { peakMb(): number } {
  let peak = 0
  const sample = (): void => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }
  setInterval(sample, SAMPLE_MS).unref()
  return {
    peakMb() {
      sample()
      return Math.round(peak / MEBIBYTE)
    },
  }
}
