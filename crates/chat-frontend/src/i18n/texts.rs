//! Every text of the user interface, in both languages.

use super::Lang;

macro_rules! texts {
    ($($key:ident { $ko:literal $en:literal })*) => {
        /// A text of the user interface. `{name}` in it is filled by [`super::fill`].
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Key {
            $(
                #[doc = $en]
                $key,
            )*
        }

        impl Key {
            /// Every text.
            pub const ALL: &[Self] = &[$(Self::$key),*];
        }

        /// The text of a key.
        pub const fn text(lang: Lang, key: Key) -> &'static str {
            match lang {
                Lang::Ko => match key { $(Key::$key => $ko,)* },
                Lang::En => match key { $(Key::$key => $en,)* },
            }
        }
    };
}

texts! {
    // The service.
    Product { "사랑방" "Sarangbang" }
    NoSuchSite { "이 주소에는 대화방이 없어요." "There is no room at this address." }
    NoSuchSiteText {
        "이 페이지를 운영한다면 data-site 값을 확인해 주세요."
        "If this is your page, check the value of data-site."
    }
    ServiceDown { "잠시 후 저절로 다시 열어요." "It is tried again by itself in a moment." }
    NotFoundTitle { "찾는 페이지가 없어요" "This page does not exist" }
    NotFoundText {
        "주소가 바뀌었거나 초대받은 사람만 볼 수 있는 방이에요."
        "The address may have changed, or the room is by invitation only."
    }
    SkipToContent { "본문으로 건너뛰기" "Skip to content" }
    ToLobby { "방 목록으로" "Back to the lobby" }
    TryAgain { "다시 시도" "Try again" }
    Cancel { "취소" "Cancel" }
    Close { "닫기" "Close" }
    Loading { "불러오는 중이에요" "Loading" }
    ShowMore { "더 보기" "Show more" }

    // What a person is.
    Guest { "게스트" "Guest" }
    Member { "회원" "Member" }
    Moderator { "운영자" "Moderator" }
    Owner { "방장" "Owner" }
    You { "나" "You" }

    // Lobby.
    HeroTitle { "이름 하나면 바로 이야기할 수 있어요" "Pick a name and start talking" }
    HeroText {
        "누구나 들러 이야기 나누는 곳, 사랑방이에요. 가입하지 않아도 돼요. 나중에 계정을 만들면 이름도 메시지도 그대로 이어져요."
        "Sarangbang is a place where anyone can drop in and talk. No sign-up needed. Create an account later and keep your name and messages."
    }
    Nickname { "닉네임" "Nickname" }
    SuggestName { "다른 이름 추천받기" "Suggest another name" }
    JoinAsGuest { "게스트로 시작하기" "Join as a guest" }
    HaveAccount { "이미 계정이 있나요?" "Have an account?" }
    SignIn { "로그인" "Sign in" }
    CreateAccount { "계정 만들기" "Create account" }
    LobbyTitle { "어디서 이야기할까요?" "Where shall we talk?" }
    GuestNotice {
        "지금은 게스트예요. 계정을 만들면 다른 기기에서도 같은 이름으로 이야기할 수 있어요."
        "You are a guest. Create an account to keep your name and messages on every device."
    }
    YourRooms { "내 방" "Your rooms" }
    Rooms { "방" "Rooms" }
    DirectMessages { "다이렉트 메시지" "Direct messages" }
    DirectMessage { "다이렉트 메시지" "Direct message" }
    NoDirects { "일대일로 나눈 이야기가 여기에 모여요." "Conversations between two people appear here." }
    NewDirect { "다이렉트 메시지 보내기" "New direct message" }
    SoughtName { "이름으로 찾기" "Find by name" }
    NoAcquaintances { "같은 방에 있는 사람에게 보낼 수 있어요. 먼저 방에서 이야기를 나눠 보세요." "You can write to people you share a room with. Join a room and say hello first." }
    NobodyFound { "같은 방에 그런 이름의 사람이 없어요." "Nobody in your rooms has that name." }
    OpenRooms { "공개 방" "Open rooms" }
    NoRoomsTitle { "아직 공개 방이 없어요" "No open rooms yet" }
    NoRoomsText {
        "첫 방을 만들어 보세요. 누구나 찾아와 이야기할 수 있어요."
        "Create the first one. Anyone can find it and talk."
    }
    NoRoomsVisitorText {
        "이름을 정하고 들어오면 첫 방을 만들 수 있어요."
        "Pick a name, come in and create the first one."
    }
    NoOwnRooms {
        "참여한 방이 여기에 모여요."
        "The rooms you join appear here."
    }
    RoomsFailed { "목록을 불러오지 못했어요" "Could not load the rooms" }
    NoMembers { "첫 인사를 건네 보세요" "Be the first" }
    OneMember { "멤버 {count}명" "{count} member" }
    Members { "멤버 {count}명" "{count} members" }
    OneUnread { "안 읽은 메시지 {count}개" "{count} unread message" }
    ManyUnread { "안 읽은 메시지 {count}개" "{count} unread messages" }
    UnnamedRoom { "이름 없는 방" "Unnamed room" }

    // Creating a room.
    CreateRoom { "방 만들기" "Create a room" }
    RoomName { "방 이름" "Room name" }
    RoomTopic { "한 줄 소개 (선택)" "Topic (optional)" }
    WhoMayCome { "누가 들어올 수 있게 할까요?" "Who can come in?" }
    Everyone { "누구나" "Everyone" }
    EveryoneHint { "공개 방 목록에 보여요" "Listed among the open rooms" }
    Invited { "초대받은 사람만" "Invited people" }
    InvitedHint { "초대 링크가 있어야 들어올 수 있어요" "Only people with an invite link" }
    Create { "만들기" "Create" }

    // Signing in and registering.
    SignInLead { "다시 만나서 반가워요." "Good to see you again." }
    RegisterTitle { "계정 만들기" "Create an account" }
    RegisterLead {
        "아이디와 비밀번호만 정하면 돼요. 이메일은 필요 없어요."
        "A username and a password are enough. We ask for no email."
    }
    UpgradeLead {
        "게스트 이름 ‘{name}’도, 남긴 메시지도 그대로 이어져요."
        "You keep the name “{name}” and the messages you have as a guest."
    }
    Username { "아이디" "Username" }
    UsernameHint {
        "영문 소문자, 숫자, 기호(_ . -)로 3~30자"
        "3 to 30 of a–z, 0–9 and _ . -"
    }
    Password { "비밀번호" "Password" }
    PasswordHint {
        "15자 이상이면 돼요. 좋아하는 문장도 좋아요."
        "At least 15 characters. A sentence you like works well."
    }
    ShowPassword { "비밀번호 보기" "Show password" }
    DisplayName { "닉네임 (선택)" "Name to show (optional)" }
    DisplayNameHint { "비워 두면 아이디가 그대로 보여요." "Left empty, people see your username." }
    NoAccountYet { "아직 계정이 없나요?" "No account yet?" }
    AlreadyAccount { "이미 계정이 있나요?" "Already have an account?" }
    SignInLosesGuest {
        "로그인하면 게스트 ‘{name}’ 대신 계정으로 이야기하게 돼요."
        "Signing in leaves the guest “{name}”."
    }

    // Settings.
    Settings { "설정" "Settings" }
    Appearance { "화면" "Appearance" }
    Language { "언어" "Language" }
    Theme { "테마" "Theme" }
    ThemeAuto { "기기 설정에 맞춤" "Match the device" }
    ThemeLight { "밝게" "Light" }
    ThemeDark { "어둡게" "Dark" }
    Devices { "로그인한 기기" "Signed-in devices" }
    ThisDevice { "이 기기" "This device" }
    UnknownDevice { "알 수 없는 기기" "Unknown device" }
    LastUsed { "마지막 사용: {when}" "Last used {when}" }
    SignOut { "로그아웃" "Sign out" }
    SignOutDevice { "{device} 로그아웃하기" "Sign out {device}" }
    SignOutEverywhere { "모든 기기에서 로그아웃" "Sign out everywhere" }
    SignOutGuestTitle { "게스트 이용을 끝낼까요?" "Leave as a guest?" }
    SignOutGuestText {
        "로그아웃하면 이 이름을 다시 쓸 수 없어요. 계속 쓰려면 먼저 계정을 만들어 주세요."
        "You will not be able to come back under this name. To keep it, create an account first."
    }
    SignOutEverywhereText {
        "이 기기를 포함한 모든 기기에서 로그아웃돼요."
        "This ends every session, including this one."
    }
    ChangePassword { "비밀번호 바꾸기" "Change password" }
    CurrentPassword { "현재 비밀번호" "Current password" }
    NewPassword { "새 비밀번호" "New password" }
    Change { "바꾸기" "Change" }
    PasswordChanged {
        "비밀번호를 바꿨어요. 다른 기기에서는 로그아웃됐어요."
        "Password changed. Your other devices are signed out."
    }
    GuestHint {
        "이 브라우저에서만 쓰는 이름이에요."
        "Only this browser knows you under this name."
    }
    AccountHint { "아이디: {username}" "Username: {username}" }
    SignInFirst { "로그인이 필요해요" "Please sign in" }
    SignInFirstText {
        "설정은 로그인한 뒤에 바꿀 수 있어요."
        "Come in first to change your settings."
    }

    // Invites.
    InviteTitle { "초대받았어요" "You are invited" }
    InviteText {
        "이름을 정하고 들어오세요."
        "Pick a name and come in."
    }
    InviteGone {
        "초대 링크의 기한이 지났거나 주소가 잘못됐어요."
        "This invite link has ended or is not valid."
    }

    // Words for what went wrong.
    Offline {
        "서버에 연결할 수 없어요. 인터넷 연결을 확인하고 다시 시도해 주세요."
        "The server cannot be reached. Check your connection and try again."
    }
    BadCredentials {
        "아이디 또는 비밀번호가 맞지 않아요."
        "The username or password is wrong."
    }
    SessionEnded { "로그아웃됐어요. 다시 로그인해 주세요." "You have been signed out. Please sign in again." }
    Forbidden { "권한이 없어요." "You are not allowed to do this." }
    NotFound { "찾을 수 없어요. 삭제됐거나 볼 수 없게 됐어요." "Not found. It may be gone, or not yours to see." }
    Conflict { "그사이 내용이 바뀌었어요. 새로 고친 뒤 다시 시도해 주세요." "It has changed in the meantime. Reload and try again." }
    NameTaken { "누군가 쓰고 있거나 아주 비슷한 이름이에요." "This name is taken, or looks too much like one that is." }
    NameReplaced { "그사이 누군가 그 이름을 골랐어요. 이 이름은 어때요?" "Somebody has just taken that name. How about this one?" }
    TooLarge { "내용이 너무 길어요." "It is too large." }
    RateLimited { "조금 빨랐어요. 잠시 후 다시 시도해 주세요." "That was a bit fast. Please try again in a moment." }
    RateLimitedFor { "조금 빨랐어요. {seconds}초 후에 다시 시도해 주세요." "That was a bit fast. Try again in {seconds} s." }
    LimitReached { "더 이상 추가할 수 없어요." "The limit is reached." }
    ReadOnlyRoom { "읽기만 할 수 있는 방이에요." "This room is read-only." }
    Refused { "요청을 처리하지 못했어요." "The server refused this request." }
    ServerFault { "서버에 문제가 생겼어요. 잠시 후 다시 시도해 주세요." "Something went wrong on the server. Please try again in a moment." }

    // Why a text was refused.
    ReasonEmpty { "내용을 입력해 주세요." "Please type something." }
    ReasonTooShort { "너무 짧아요." "It is too short." }
    ReasonTooLong { "너무 길어요." "It is too long." }
    ReasonForbiddenCharacter { "쓸 수 없는 글자가 들어 있어요." "It contains a character that is not allowed." }
    ReasonTooManyMarks { "한 글자에 기호가 너무 많이 붙어 있어요." "Too many marks are stacked on one letter." }
    ReasonReserved { "쓸 수 없는 이름이에요." "This name is reserved." }
    ReasonNotAnEmoji { "이모지 하나만 골라 주세요." "Please choose one emoji." }
    ReasonGuessable { "쉽게 짐작할 수 있는 비밀번호예요. 더 긴 문장은 어때요?" "It is too easy to guess. How about a longer sentence?" }
    ReasonUnknown { "사용할 수 없는 내용이에요." "It is not allowed." }

    // Room.
    Messages { "메시지" "Messages" }
    MessagePlaceholder { "메시지 보내기" "Message" }
    Send { "보내기" "Send" }
    Sending { "보내는 중" "Sending" }
    SentIn { "{seconds}초 뒤에 보내요" "Sent in {seconds} s" }
    Saving { "저장하는 중" "Saving" }
    NotEdited { "수정하지 못했어요" "Not edited" }
    NotDeleted { "삭제하지 못했어요" "Not deleted" }
    NotReacted { "반응을 남기지 못했어요" "Reaction not saved" }
    OutboxFull {
        "보내지 못한 메시지가 너무 많아요. 먼저 쓴 것이 보내진 뒤에 다시 보내 주세요."
        "Too many messages are waiting. Send this one when those before it are through."
    }
    Dismiss { "알림 닫기" "Dismiss" }
    LoadingNewer { "다음 메시지를 불러오는 중이에요" "Loading newer messages" }
    ShowNewer { "다음 메시지 보기" "Show newer messages" }
    NotSent { "못 보냈어요" "Not sent" }
    Retry { "다시 보내기" "Retry" }
    Discard { "보내기 취소" "Discard" }
    Edited { "(수정됨)" "(edited)" }
    DeletedMessage { "삭제된 메시지예요" "This message was deleted" }
    DeletedByModerator { "운영자가 삭제한 메시지예요" "A moderator deleted this message" }
    UnknownContent { "이 버전에서는 볼 수 없는 메시지예요" "This version cannot show this message" }
    React { "반응 남기기" "React" }
    Reply { "답장" "Reply" }
    More { "더 보기" "More" }
    Edit { "수정" "Edit" }
    Delete { "삭제" "Delete" }
    DeleteTitle { "이 메시지를 삭제할까요?" "Delete this message?" }
    DeleteText { "모두에게서 사라지고 되돌릴 수 없어요." "It disappears for everyone and cannot be brought back." }
    Save { "저장" "Save" }
    Copy { "복사" "Copy" }
    Copied { "복사했어요" "Copied" }
    ReplyingTo { "{name} 님에게 답장" "Replying to {name}" }
    EditingMessage { "메시지 수정" "Editing a message" }
    CancelReply { "답장 취소" "Cancel reply" }
    CancelEdit { "수정 취소" "Cancel editing" }
    JumpToReply { "원래 메시지 보기" "Go to the original message" }
    CharacterLeft { "{count}자 남았어요" "{count} character left" }
    CharactersLeft { "{count}자 남았어요" "{count} characters left" }
    CharacterOver { "{count}자 넘었어요" "{count} character too many" }
    CharactersOver { "{count}자 넘었어요" "{count} characters too many" }
    UnreadDivider { "여기부터 새 메시지" "New messages" }
    OneNew { "새 메시지 {count}개" "{count} new message" }
    ManyNew { "새 메시지 {count}개" "{count} new messages" }
    ToLatest { "최근 메시지로" "Jump to latest" }
    ToFirstUnread { "안 읽은 첫 메시지로" "Jump to first unread" }
    RoomStart { "여기서 이야기가 시작됐어요" "This is where the room begins" }
    LoadingOlder { "이전 메시지를 불러오는 중이에요" "Loading older messages" }
    QuietTitle { "아직 조용한 방이에요" "It is quiet here" }
    QuietText { "첫 메시지로 인사를 건네 보세요." "Say hello with the first message." }
    JoinInvitation { "이름만 정하면 바로 이야기할 수 있어요." "Anyone can read. To write, just pick a name." }
    Join { "참여하기" "Join" }
    Leave { "방 나가기" "Leave room" }
    LeaveTitle { "이 방에서 나갈까요?" "Leave this room?" }
    LeaveText { "보낸 메시지는 방에 남아요. 언제든 다시 들어올 수 있어요." "Your messages stay. You can come back any time." }
    LeaveOwnedText { "보낸 메시지는 방에 남아요. 방장은 남은 사람 중 운영자나 가장 오래된 멤버가 이어받고, 다시 들어오면 멤버가 돼요." "Your messages stay. A moderator or the longest-standing member becomes the owner; you come back as a member." }
    LeavePrivateText { "보낸 메시지는 방에 남아요. 다시 들어오려면 초대를 받아야 해요." "Your messages stay. To come back you need an invite." }
    Invite { "초대하기" "Invite" }
    InviteLink { "초대 링크" "Invite link" }
    InviteLinkHint { "7일 동안 이 링크로 누구나 들어올 수 있어요." "Anyone with this link can come in for 7 days." }
    Archived { "보관된 방이에요. 읽기만 할 수 있어요." "This room is archived. You can only read." }
    OneTyping { "{name} 님이 입력하고 있어요" "{name} is typing" }
    TwoTyping { "{first}, {second} 님이 입력하고 있어요" "{first} and {second} are typing" }
    ManyTyping { "{count}명이 입력하고 있어요" "{count} people are typing" }
    People { "참여자" "People" }
    OneHere { "지금 {count}명이 보고 있어요" "{count} person here" }
    ManyHere { "지금 {count}명이 보고 있어요" "{count} people here" }
    HereNow { "지금 보고 있어요" "Here now" }
    OneReader { "{count}명은 이름 없이 보고 있어요" "{count} person reads without a name" }
    ManyReaders { "{count}명은 이름 없이 보고 있어요" "{count} people read without a name" }
    OtherMembers { "다른 멤버" "Other members" }
    MessagePerson { "{name} 님에게 메시지 보내기" "Message {name}" }
    Connecting { "연결하고 있어요…" "Connecting…" }
    Reconnecting { "연결이 끊겼어요. 다시 연결하고 있어요…" "Connection lost. Reconnecting…" }
    RetryNow { "지금 연결" "Retry now" }
    StoppedSession { "이 기기에서 로그아웃됐어요." "You have been signed out on this device." }
    StoppedBanned { "더 이상 이 방에 참여할 수 없어요." "You can no longer take part here." }
    StoppedVersion { "새 버전이 나왔어요. 페이지를 새로 고쳐 주세요." "There is a new version. Please reload the page." }
    StoppedOrigin { "이 페이지에서는 연결할 수 없어요." "This page may not connect." }
    Stopped { "연결이 끊겼어요." "The connection has ended." }
    Reload { "새로 고침" "Reload" }
    SomethingBroke { "화면을 보여 주다 문제가 생겼어요." "Something broke on this page." }
    OpenInWindow { "새 창에서 열기" "Open in a new window" }
    Today { "오늘" "Today" }
    Yesterday { "어제" "Yesterday" }
    RoomFailed { "방을 열지 못했어요" "Could not open the room" }
}
