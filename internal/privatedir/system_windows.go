package privatedir

// saysAccess is whether a mode says who has access. On Windows, lists of access say it. What is below a user's own folder is
// that user's.
const saysAccess = false
