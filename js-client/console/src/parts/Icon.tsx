/** Line icons, drawn with the colour of the text around them; what they mean is said in words beside them. */

const PATHS = {
  inbox: "M4 13l3-8h10l3 8v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1zM4 13h5l1 2h4l1-2h5",
  runs: "M5 5v14M5 7h8M5 12h12M5 17h6",
  system: "M4 12h4l2-6 4 12 2-6h4",
  check: "M5 12.5l4.5 4.5L19 7.5",
  clock: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  alert: "M12 9v4M12 16.5v.5M10.5 4.5L3 18a1.7 1.7 0 0 0 1.5 2.5h15A1.7 1.7 0 0 0 21 18L13.500 4.5a1.7 1.7 0 0 0-3 0z",
  info: "M12 11v5M12 7.500v.5M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  search: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM20 20l-4.500-4.500",
  back: "M15 6l-6 6 6 6",
  close: "M6 6l12 12M18 6L6 18",
  person: "M12 5a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM5 20c.8-3.500 3.500-5 7-5s6.200 1.500 7 5",
  people: "M9 6a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM3 19c.6-3 2.800-4.500 6-4.500s5.400 1.500 6 4.500M16 6.500a2.800 2.800 0 0 1 0 5.500M17.500 15c2 .5 3.100 1.800 3.500 4",
  comment: "M5 5h14a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-8l-4 4v-4H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1z",
  play: "M8 5.500v13l10.500-6.500z",
  pause: "M8 6v12M16 6v12",
  stop: "M7 7h10v10H7z",
  retry: "M19 12a7 7 0 1 1-2-5M19 4v4h-4",
  trash: "M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12",
  fork: "M7 5v8a4 4 0 0 0 4 4h6M17 17l-3-3M17 17l-3 3M7 9h0M17 7h-4",
  rewind: "M11 6l-7 6 7 6zM20 6l-7 6 7 6z",
  hand: "M7 12V7.500a1.500 1.500 0 0 1 3 0V11M10 10.500V5.500a1.500 1.500 0 0 1 3 0V11M13 11V6.500a1.500 1.500 0 0 1 3 0V13M16 12v-2a1.500 1.500 0 0 1 3 0v4a6 6 0 0 1-6 6h-1c-2 0-3.500-1-4.500-2.500L4.500 13c1-1 2.500-.5 3.500 1",
  vote: "M4 14h16v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1zM8 14l2-9h6l-1 9",
  bolt: "M13 3L5 14h6l-1 7 8-11h-6z",
  keyboard: "M4 7h16v10H4zM7 10h0M10 10h0M13 10h0M16 10h0M8 14h8",
  more: "M6 12h0M12 12h0M18 12h0",
  chevron: "M7 10l5 5 5-5",
  link: "M10 14l4-4M9 7l1-1a4 4 0 0 1 6 6l-1 1M15 17l-1 1a4 4 0 0 1-6-6l1-1",
  bell: "M6 17h12l-1.500-2V11a4.500 4.500 0 0 0-9 0v4zM10.500 20h3",
  flag: "M6 20V5h11l-2 4 2 4H6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" data-icon={name}>
      <path d={PATHS[name]} />
    </svg>
  );
}
