// Facts of the chip on an Uno. Source: ATmega328P data sheet (DS40002061); addresses are those of the data space.

/** Of the crystal on an Uno. */
export const CLOCK_HZ = 16_000_000;
export const CYCLES_PER_MS = CLOCK_HZ / 1000;

export const FLASH_BYTES = 32 * 1024;
export const SRAM_BYTES = 2048;
export const EEPROM_BYTES = 1024;
/** Registers, I/O and extended I/O: the part of the data space in front of the SRAM. */
export const REGISTER_BYTES = 0x100;

/** Address of PINx; DDRx and PORTx follow it. */
export const PORT_BASE = { B: 0x23, C: 0x26, D: 0x29 } as const;
/** MCU status: why the chip was reset. */
export const MCUSR = 0x54;
export const RESET_CAUSES = { 'power-on': 0x01, external: 0x02, watchdog: 0x08 } as const;
export type ResetCause = keyof typeof RESET_CAUSES;

/** ADC0..ADC7: A0..A5 of the Uno, two more on the Nano. */
export const ANALOG_CHANNELS = 8;
