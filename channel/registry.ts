import type { ChannelAccountId } from '#domain/id'
import type { KeyPurpose } from '#domain/key'
import type { Clock } from '#domain/time'
import type { z } from 'zod'
import type { Account, AccountKey } from './account.ts'
import type { BillTimes } from './bill.ts'
import type { Capabilities, Channel } from './channel.ts'
import type { Fetch } from './http.ts'

/** What every strategy is built with. */
export interface ChannelDeps {
  readonly clock: Clock
  readonly fetch: Fetch
  /** `host:port` that may be reached by plain http or inside our network; empty in production. */
  readonly localHosts: readonly string[]
  /** 32 fresh characters of `[0-9A-Za-z]`. */
  newNonce(): string
  /** Absolute limit of one call to a vendor; each vendor has its own without it. */
  readonly timeoutMs?: number
  /** Waits before something is asked again; the real time unless given. */
  pause?(ms: number): Promise<void>
}

/** The merchant number that owns an account at its vendor: the owner of bills. */
export interface VendorMerchant {
  readonly vendor: string
  readonly number: string
}

/** One vendor's protocol as data can name it: what a stored account needs, and how a channel is made of it. */
export interface Strategy {
  /** The channel's name in our API and in the log. */
  readonly channelName: string
  /** What every account of this strategy can do at most; a channel's own say what this account can. */
  readonly capabilities: Capabilities
  /** When this vendor's bills are there; absent where they are not built. */
  readonly billTimes?: BillTimes
  readonly settingsSchema: z.ZodType
  readonly requiredKeys: readonly KeyPurpose[]
  /** What keeps this account from accepting payments, for people; empty when nothing does. */
  checkAccount(settings: unknown, keys: readonly AccountKey[]): readonly string[]
  /** Throws for settings that `checkAccount` refuses. */
  identity(settings: unknown): Readonly<Record<string, string>>
  vendorMerchant(settings: unknown): VendorMerchant
  create(account: Account, deps: ChannelDeps): Channel
}

export type Strategies = Readonly<Record<string, Strategy>>

/** The stored row names a strategy that this program does not have. */
export class UnknownStrategy extends Error {
  override readonly name = 'UnknownStrategy'
  readonly strategy: string

  constructor(strategy: string, known: readonly string[]) {
    super(`expected one of the strategies ${known.join(', ')}, the account names "${strategy}"`)
    this.strategy = strategy
  }
}

/** The stored row cannot be made a channel: settings or keys are missing or wrong. */
export class UnusableAccount extends Error {
  override readonly name = 'UnusableAccount'
  readonly problems: readonly string[]

  constructor(account: ChannelAccountId, problems: readonly string[]) {
    super(`channel account ${account} cannot be used: ${problems.join('; ')}`)
    this.problems = problems
  }
}

export interface Registry {
  /**
   * The channel of an account: one instance, rebuilt when the version differs from the last one.
   *
   * The version is any text that changes with the row or its keys. Throws `UnknownStrategy` or
   * `UnusableAccount`; an instance that cannot be built again is forgotten, not used on.
   */
  get(account: Account, version: string): Channel
  strategy(name: string): Strategy
}

interface Instance {
  readonly version: string
  readonly channel: Channel
}

const INSTANCES_MAX = 10_000

/** Maps strategy names in rows to code. Nothing outside `strategies` can be built from data. */
export function createRegistry(strategies: Strategies, deps: ChannelDeps): Registry {
  const instances = new Map<ChannelAccountId, Instance>()

  function strategy(name: string): Strategy {
    const found = Object.hasOwn(strategies, name) ? strategies[name] : undefined
    if (found === undefined) throw new UnknownStrategy(name, Object.keys(strategies))
    return found
  }

  function build(account: Account): Channel {
    const found = strategy(account.strategy)
    const problems = found.checkAccount(account.settings, account.keys)
    if (problems.length > 0) throw new UnusableAccount(account.id, problems)
    return found.create(account, deps)
  }

  function get(account: Account, version: string): Channel {
    const existing = instances.get(account.id)
    if (existing?.version === version) return existing.channel
    instances.delete(account.id)
    const channel = build(account)
    dropOldest(instances)
    instances.set(account.id, { version, channel })
    return channel
  }

  return { get, strategy }
}

function dropOldest(instances: Map<ChannelAccountId, Instance>): void {
  const [oldest] = instances.keys()
  if (instances.size >= INSTANCES_MAX && oldest !== undefined) instances.delete(oldest)
}
