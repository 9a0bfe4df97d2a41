"""From files on disk to arrays that every trial maps: preparing, labelling, splitting, checking."""
