import { readFileSync } from 'node:fs'

const KIBIBYTES_PER_MEBIBYTE = 1024
const MEBIBYTE = 1024 * 1024
const SAMPLE_MS = 100
const STATUS = '/proc/self/status'

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
      return Math.max(kernelPeakMb(), Math.round(peak / MEBIBYTE))
    },
  }
}

/** What Linux has noted itself, between two looks of ours too; 0 elsewhere. */
function kernelPeakMb(): number {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(STATUS, 'utf8'))?.[1]
    return Math.round(Number(kibibytes ?? 0) / KIBIBYTES_PER_MEBIBYTE)
  } catch {
    // Other systems have no such file; there the looks must do.
    return 0
  }
}
