// The devices of the bench, in a process of their own. Asked by the workloads; see role-host.ts.

import { Crowd } from './crowd.js';
import { PtyLines } from './pty-lines.js';
import { serveRole } from './role-host.js';
import { TcpHose } from './tcp-hose.js';

/** The number of the one TCP device. */
const HOSE_DEVICE = 0;

const hose = new TcpHose(HOSE_DEVICE);
const ptys = new PtyLines();
const crowd = new Crowd();

const handlers = {
  hoseListen: () => hose.listen(),
  hoseConnected: () => hose.connected(),
  hoseOpen: () => hose.open(),
  hosePace: (linesPerSecond: number) => hose.pace(linesPerSecond),
  hoseLimit: (lines: number) => hose.limit(lines),
  hoseEcho: () => hose.echo(),
  hoseStop: () => {
    hose.close();
    return new Map([[HOSE_DEVICE, hose.sent]]);
  },
  hoseTaken: () => hose.taken(),

  ptysOpen: (links: readonly string[]) => ptys.open(links),
  ptysOpened: () => ptys.opened(),
  ptysPace: () => ptys.pace(),
  ptysTalk: (everyMs: number) => ptys.talk(everyMs),
  ptysEcho: () => ptys.echo(),
  ptysStop: () => {
    ptys.stop();
    return { sent: ptys.sent, dropped: ptys.dropped };
  },
  ptyUnplug: (index: number) => ptys.unplug(index),
  ptyPlug: (index: number) => ptys.plug(index),
  ptysClose: () => ptys.close(),

  crowdConnect: ({ port, count, first }: { readonly port: number; readonly count: number; readonly first?: number }) =>
    crowd.connect(port, count, first),
  crowdTalk: () => crowd.talk(),
  crowdStop: () => {
    crowd.stop();
    return { sent: crowd.sent, lost: crowd.lost };
  },
  crowdClose: () => crowd.close(),
};

export type Generator = typeof handlers;

serveRole(handlers);
