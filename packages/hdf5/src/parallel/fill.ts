/** One element over and over; zeros when there is none. */
export function fillWith(target: Uint8Array, element: Uint8Array | undefined): void {
  if (element === undefined || element.length === 0 || target.length === 0) {
    target.fill(0);
    return;
  }
  target.set(element);
  for (let done = element.length; done < target.length; done *= 2) target.copyWithin(done, 0, done);
}
