import type { FileListing } from "@cytomesh/contracts/jobs/v1/imaging";

/** A listing as the folders of jobs keep it. Equal listings give equal requests, also those of before there were samples. */
export function listingRequest({ prefixUri, pattern, listingUri, sample }: FileListing): object {
  return { prefix: prefixUri, pattern, listing: listingUri, ...(sample === 0 ? {} : { sample }) };
}
