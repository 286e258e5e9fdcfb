// Where something that moves is, after so many seconds: round a circle, or along the straight lines between the points of a
// track, there and on to the first point again. Pure.
//
// Distances are those of a plane that touches the earth at the point at hand: right to 0.1 % over some kilometres, and speed
// and course always fit the positions.

/** Degrees, north and east positive. */
export interface Position {
  readonly lat: number;
  readonly lon: number;
}

/** A place and the way on from it. */
export interface Movement extends Position {
  /** Degrees from north, clockwise, 0 to 360. */
  readonly course: number;
}

/** Where it is after `seconds`. */
export type Movements = (seconds: number) => Movement;

export const METRES_PER_DEGREE = 111_320;

/** Round a circle, clockwise, from its northernmost point. `radius` in m, `speed` in m/s. */
export function circle(centre: Position, radius: number, speed: number): Movements {
  return (seconds) => {
    const angle = (seconds * speed) / radius; // from north
    const lat = centre.lat + (radius * Math.cos(angle)) / METRES_PER_DEGREE;
    const lon = centre.lon + (radius * Math.sin(angle)) / (METRES_PER_DEGREE * shrink(centre.lat));
    return { lat, lon, course: ((angle * 180) / Math.PI + 90) % 360 };
  };
}

/** From point to point at `speed` m/s and from the last one back to the first, for ever. At least two different points. */
export function track(points: readonly Position[], speed: number): Movements {
  const legs = points.map((from, index) => leg(from, points[(index + 1) % points.length] ?? from));
  const length = legs.reduce((sum, { metres }) => sum + metres, 0);
  return (seconds) => {
    let rest = (seconds * speed) % length;
    for (const { from, to, metres, course } of legs) {
      if (rest < metres) return { ...between(from, to, rest / metres), course };
      rest -= metres;
    }
    return { ...(points[0] ?? { lat: 0, lon: 0 }), course: 0 }; // only where rounding has left less than nothing
  };
}

interface Leg {
  readonly from: Position;
  readonly to: Position;
  readonly metres: number;
  readonly course: number;
}

function leg(from: Position, to: Position): Leg {
  const north = (to.lat - from.lat) * METRES_PER_DEGREE;
  const east = (to.lon - from.lon) * METRES_PER_DEGREE * shrink((from.lat + to.lat) / 2);
  const course = ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
  return { from, to, metres: Math.hypot(north, east), course };
}

function between(from: Position, to: Position, part: number): Position {
  return { lat: from.lat + (to.lat - from.lat) * part, lon: from.lon + (to.lon - from.lon) * part };
}

/** A degree of longitude against one of latitude. */
function shrink(lat: number): number {
  return Math.cos((lat * Math.PI) / 180);
}
