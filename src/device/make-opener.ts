// Config in, opener out: the one place that knows which file in `links/` serves which link type. `tcp-listen` is not here:
// it accepts instead of opening (`group/server-manager.ts`).

import type { SerialLinkConfig, TcpLinkConfig, UsbLinkConfig } from '../config/link-schema.js';
import type { LinkOpener } from './link.js';
import type { LinkDeps } from './links/link-deps.js';
import { serialOpener } from './links/serial.js';
import { tcpOpener } from './links/tcp.js';
import { usbOpener } from './links/usb.js';

export type { LinkDeps };

/** The opener for a device's link. Opens nothing yet and loads nothing native. */
export function makeOpener(link: SerialLinkConfig | UsbLinkConfig | TcpLinkConfig, deps: LinkDeps): LinkOpener {
  switch (link.type) {
    case 'serial':
      return serialOpener(link, deps);
    case 'usb':
      return usbOpener(link, deps);
    case 'tcp':
      return tcpOpener(link, deps);
  }
}
