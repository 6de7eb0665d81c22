// Something of the configuration, with the place where it stands: what sources are read into and resolvers are given.
import type { Place } from './problems.ts';

export interface Item<T> {
  readonly value: T;
  readonly place: Place;
}
export interface Named<T> extends Item<T> {
  readonly name: string;
}
