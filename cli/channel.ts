import type { Command } from 'commander'
import { addChannelAdd } from './channel-add.ts'
import { addChannelList } from './channel-list.ts'
import { addChannelSwitches } from './channel-switch.ts'
import { addChannelTest } from './channel-test.ts'
import type { Context } from './context.ts'

export function addChannelCommands(program: Command, context: Context): void {
  const channel = program.command('channel').description('accounts at vendors')
  addChannelAdd(channel, context)
  addChannelList(channel, context)
  addChannelSwitches(channel, context)
  addChannelTest(channel, context)
}
