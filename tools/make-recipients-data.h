/*
 * The words that make-recipients puts together. Names and streets are common ones; nobody in
 * particular is meant. Texts are UTF-8, at most TEXT_BYTES_MAX bytes, and stand in a CSV field as
 * they are, unless said.
 */
#ifndef POSTROOM_TOOLS_MAKE_RECIPIENTS_DATA_H
#define POSTROOM_TOOLS_MAKE_RECIPIENTS_DATA_H

#include <stdint.h>

enum { TEXT_BYTES_MAX = 31 };

/* 32 bytes, so that one move of fixed size copies any of them */
struct text {
    char bytes[TEXT_BYTES_MAX];
    uint8_t len;
};

/* a name as written and as it stands in an e-mail address */
struct name {
    struct text shown;
    struct text plain;
};

/* Postcodes are of the right region; not each of them is in use. */
struct city {
    struct text name;
    uint32_t postcode; /* the first one; then `count` in steps of `step` */
    uint16_t step;
    uint16_t count;
};

/* clang-format off */
#define T(text_) {text_, sizeof(text_) - 1}
#define N(shown_, plain_) {T(shown_), T(plain_)}

static const struct name FR_WOMEN[] = {
    N("Marie", "marie"), N("Zoé", "zoe"), N("Hélène", "helene"), N("Chloé", "chloe"), N("Léa", "lea"),
    N("Camille", "camille"), N("Françoise", "francoise"), N("Anaïs", "anais"), N("Sylvie", "sylvie"),
    N("Inès", "ines"), N("Élodie", "elodie"), N("Noémie", "noemie"), N("Cécile", "cecile"),
    N("Anne-Sophie", "anne-sophie"), N("Aurélie", "aurelie"), N("Manon", "manon"), N("Lucie", "lucie"),
    N("Béatrice", "beatrice"), N("Maëlle", "maelle"), N("Nathalie", "nathalie"), N("Aïcha", "aicha"),
    N("Fleur", "fleur"), N("Solène", "solene"), N("Gaëlle", "gaelle")};
static const struct name FR_MEN[] = {
    N("Jean", "jean"), N("Pierre", "pierre"), N("François", "francois"), N("Loïc", "loic"),
    N("Jérôme", "jerome"), N("André", "andre"), N("Stéphane", "stephane"), N("Rémi", "remi"),
    N("Benoît", "benoit"), N("Gaël", "gael"), N("Théo", "theo"), N("Jean-Luc", "jean-luc"),
    N("Frédéric", "frederic"), N("Michel", "michel"), N("Noël", "noel"), N("Raphaël", "raphael"),
    N("Cédric", "cedric"), N("Hugo", "hugo"), N("Émile", "emile"), N("Mathéo", "matheo"),
    N("Olivier", "olivier"), N("Karim", "karim"), N("Maël", "mael"), N("Gérard", "gerard")};
static const struct name FR_LAST[] = {
    N("Martin", "martin"), N("Bernard", "bernard"), N("Lefèvre", "lefevre"), N("Dubois", "dubois"),
    N("Durand", "durand"), N("Moreau", "moreau"), N("Simon", "simon"), N("Laurent", "laurent"),
    N("Lefebvre", "lefebvre"), N("Roux", "roux"), N("Fournier", "fournier"), N("Girard", "girard"),
    N("Bonnet", "bonnet"), N("Dupont", "dupont"), N("Lambert", "lambert"), N("Fontaine", "fontaine"),
    N("Rousseau", "rousseau"), N("Mercier", "mercier"), N("Müller", "muller"), N("Faure", "faure"),
    N("Gauthier", "gauthier"), N("Garcia", "garcia"), N("Perrin", "perrin"), N("Robin", "robin"),
    N("Clément", "clement"), N("Morin", "morin"), N("Nicolas", "nicolas"), N("Henry", "henry"),
    N("Mathieu", "mathieu"), N("Gérard", "gerard"), N("Béranger", "beranger"), N("Lemaître", "lemaitre"),
    N("D'Alençon", "dalencon"), N("De La Tour", "delatour"), N("L'Hôte", "lhote"), N("Le Bœuf", "leboeuf"),
    N("Desœuvres", "desoeuvres"), N("Façon", "facon"), N("Aubépine", "aubepine"), N("Châtelain", "chatelain"),
    N("Guérin", "guerin"), N("Marchand", "marchand"), N("Noël", "noel"), N("Nguyen", "nguyen"),
    N("Benoît", "benoit"), N("Haÿ", "hay"), N("Saint-Rémy", "saint-remy"), N("Prévôt", "prevot"),
    N("Étienne", "etienne"), N("Crêpin", "crepin"), N("Colin", "colin"), N("Barbier", "barbier"),
    N("Renaud", "renaud"), N("Chevalier", "chevalier"), N("Berger", "berger"), N("Maçon", "macon"),
    N("Hervé", "herve"), N("Poirier", "poirier"), N("Lacroix", "lacroix"), N("Vasseur", "vasseur")};

static const struct name DE_WOMEN[] = {N("Jürgine", "juergine"), N("Käthe", "kaethe"), N("Anna", "anna"),
    N("Sabine", "sabine"), N("Zoë", "zoe"), N("Ulrike", "ulrike"), N("Bärbel", "baerbel"), N("Heike", "heike")};
static const struct name DE_MEN[] = {N("Jürgen", "juergen"), N("Günther", "guenther"), N("Hans", "hans"),
    N("Björn", "bjoern"), N("Lukas", "lukas"), N("Jörg", "joerg"), N("Stefan", "stefan"), N("Uwe", "uwe")};
static const struct name DE_LAST[] = {N("Müller", "mueller"), N("Schröder", "schroeder"), N("Weiß", "weiss"),
    N("Groß", "gross"), N("Jäger", "jaeger"), N("Köhler", "koehler"), N("Schäfer", "schaefer"),
    N("Fischer", "fischer"), N("Wagner", "wagner"), N("Krüger", "krueger"), N("Böhm", "boehm"),
    N("Strauß", "strauss"), N("Vogt", "vogt"), N("Lange", "lange"), N("Günther", "guenther"), N("Zöllner", "zoellner")};

static const struct name NL_WOMEN[] = {N("Daniëlle", "danielle"), N("Fenna", "fenna"), N("Zoë", "zoe"),
    N("Saskia", "saskia"), N("Noëlle", "noelle"), N("Anouk", "anouk")};
static const struct name NL_MEN[] = {N("Daniël", "daniel"), N("Sjoerd", "sjoerd"), N("Raphaël", "raphael"),
    N("Pieter", "pieter"), N("Joël", "joel"), N("Bram", "bram")};
static const struct name NL_LAST[] = {N("de Vries", "devries"), N("van den Berg", "vandenberg"),
    N("Jansen", "jansen"), N("Bakker", "bakker"), N("Coenraad", "coenraad"), N("van 't Hoff", "vanthoff"),
    N("Smit", "smit"), N("Koën", "koen"), N("Brouwer", "brouwer"), N("Verhoeven", "verhoeven"),
    N("Reijnders", "reijnders"), N("van Dijk", "vandijk")};

static const struct name ES_WOMEN[] = {N("María", "maria"), N("Begoña", "begona"), N("Inés", "ines"),
    N("Lucía", "lucia"), N("Ángela", "angela"), N("Sofía", "sofia")};
static const struct name ES_MEN[] = {N("José", "jose"), N("Íñigo", "inigo"), N("Andrés", "andres"),
    N("Joaquín", "joaquin"), N("Álvaro", "alvaro"), N("Raúl", "raul")};
static const struct name ES_LAST[] = {N("Muñoz", "munoz"), N("Peña", "pena"), N("García", "garcia"),
    N("Núñez", "nunez"), N("Ibáñez", "ibanez"), N("Rodríguez", "rodriguez"), N("López", "lopez"),
    N("Güell", "guell"), N("Sánchez", "sanchez"), N("Castaño", "castano"), N("Gil", "gil"), N("Zúñiga", "zuniga")};

/* Beyond windows-1252 from here: the transliteration has something to do. */
static const struct name PL_WOMEN[] = {N("Małgorzata", "malgorzata"), N("Elżbieta", "elzbieta"),
    N("Anna", "anna"), N("Bożena", "bozena")};
static const struct name PL_MEN[] = {N("Michał", "michal"), N("Łukasz", "lukasz"), N("Paweł", "pawel"),
    N("Stanisław", "stanislaw")};
static const struct name PL_LAST[] = {N("Wałęsa", "walesa"), N("Kowalski", "kowalski"), N("Wójcik", "wojcik"),
    N("Łopuszańska", "lopuszanska"), N("Dąbrowski", "dabrowski"), N("Ślązak", "slazak"), N("Żak", "zak"),
    N("Błoński", "blonski")};
static const struct name CZ_WOMEN[] = {N("Věra", "vera"), N("Tereza", "tereza"), N("Kateřina", "katerina"),
    N("Zdeňka", "zdenka")};
static const struct name CZ_MEN[] = {N("Jiří", "jiri"), N("Ondřej", "ondrej"), N("Tomáš", "tomas"),
    N("Luděk", "ludek")};
static const struct name CZ_LAST[] = {N("Dvořák", "dvorak"), N("Novák", "novak"), N("Kříž", "kriz"),
    N("Černý", "cerny"), N("Růžička", "ruzicka"), N("Říha", "riha"), N("Němec", "nemec"), N("Šťastný", "stastny")};
static const struct name TR_WOMEN[] = {N("Ayşe", "ayse"), N("Özlem", "ozlem"), N("Çiğdem", "cigdem"),
    N("Işıl", "isil")};
static const struct name TR_MEN[] = {N("Uğur", "ugur"), N("Barış", "baris"), N("İbrahim", "ibrahim"),
    N("Şükrü", "sukru")};
static const struct name TR_LAST[] = {N("Yıldız", "yildiz"), N("Şahin", "sahin"), N("Öztürk", "ozturk"),
    N("Doğan", "dogan"), N("Çelik", "celik"), N("Güneş", "gunes"), N("Işık", "isik"), N("Koç", "koc")};

static const struct text FR_STREETS[] = {
    T("rue de la République"), T("avenue Jean-Jaurès"), T("rue Victor-Hugo"), T("place de l'Église"),
    T("rue des Écoles"), T("chemin du Moulin"), T("allée des Tilleuls"), T("rue de la Gare"),
    T("boulevard Gambetta"), T("rue du Maréchal-Foch"), T("impasse des Œillets"), T("rue Pasteur"),
    T("quai de la Saône"), T("route de Paris"), T("rue de l'Hôtel-de-Ville"), T("rue du Château"),
    T("avenue de la Libération"), T("rue Émile-Zola"), T("rue des Frères-Lumière"), T("cours Lafayette"),
    T("rue du Général-Leclerc"), T("rue Saint-Honoré"), T("rue d'Alésia"), T("chemin des Prés"),
    T("rue du Puits"), T("rue Molière"), T("square des Tulipes"), T("rue Nationale"),
    T("rue du 8-Mai-1945"), T("rue de Verdun"), T("montée de la Fée"), T("rue Grande"),
    T("rue du Four"), T("rue Basse"), T("rue aux Ours"), T("allée Maïté"),
    T("rue Jules-Ferry"), T("rue de Bretagne"), T("rue du Lac"), T("rue Marie-Curie")};
static const struct text BE_STREETS[] = {T("Rue du Midi"), T("Rue Neuve"), T("Chaussée de Liège"),
    T("Kerkstraat"), T("Avenue Louise"), T("Meir"), T("Rue de Flandre"), T("Dorpsstraat")};
static const struct text DE_STREETS[] = {T("Hauptstraße"), T("Gartenweg"), T("Schloßallee"),
    T("Königstraße"), T("Am Mühlbach"), T("Goethestraße"), T("Lindenstraße"), T("Kirchgäßchen")};
static const struct text NL_STREETS[] = {T("Keizersgracht"), T("Dorpsstraat"), T("Kerkweg"),
    T("Oranjeplein"), T("Van Goghlaan"), T("Stationsweg"), T("Molenweg"), T("Coöperatielaan")};
static const struct text ES_STREETS[] = {T("Calle Mayor"), T("Calle de la Peña"), T("Avda. de España"),
    T("Paseo de Gracia"), T("Plaza Cataluña"), T("Calle Núñez de Balboa"), T("Ronda Sur"), T("Calle del Pez")};
static const struct text PL_STREETS[] = {T("ul. Długa"), T("ul. Świętojańska"), T("al. Łódzka"), T("ul. Żeromskiego")};
static const struct text CZ_STREETS[] = {T("Dvořákova"), T("Náměstí Míru"), T("Říční"), T("U Věže")};
static const struct text TR_STREETS[] = {T("Atatürk Caddesi"), T("Gül Sokağı"), T("İstiklal Caddesi"), T("Çiçek Sokak")};

static const struct city FR_CITIES[] = {
    {T("Paris"), 75001, 1, 20}, {T("Lyon"), 69001, 1, 9}, {T("Marseille"), 13001, 1, 16},
    {T("Bourg-en-Bresse"), 1000, 10, 20}, {T("Nice"), 6000, 10, 20}, {T("Saint-Étienne"), 42000, 10, 20},
    {T("Orléans"), 45000, 10, 20}, {T("Besançon"), 25000, 10, 20}, {T("Nîmes"), 30000, 10, 20},
    {T("Châteauroux"), 36000, 10, 20}, {T("Béziers"), 34500, 10, 20}, {T("Lille"), 59000, 10, 20},
    {T("Le Puy-en-Velay"), 43000, 10, 20}, {T("Mâcon"), 71000, 10, 20}, {T("Toulouse"), 31000, 10, 20},
    {T("Gap"), 5000, 10, 20}, {T("Laon"), 2000, 10, 20}, {T("Privas"), 7000, 10, 20}, {T("Sète"), 34200, 10, 20},
    {T("Bordeaux"), 33000, 10, 20}, {T("Nantes"), 44000, 10, 20}, {T("Rennes"), 35000, 10, 20},
    {T("Strasbourg"), 67000, 10, 20}, {T("Angoulême"), 16000, 10, 20}, {T("Chalon-sur-Saône"), 71100, 10, 20},
    {T("L'Haÿ-les-Roses"), 94240, 1, 1}, {T("Digne-les-Bains"), 4000, 10, 20}, {T("Foix"), 9000, 10, 20},
    {T("Saint-Denis"), 93200, 10, 20}, {T("Crécy"), 77580, 1, 1}, {T("Troyes"), 10000, 10, 20},
    {T("Dijon"), 21000, 10, 20}, {T("Évreux"), 27000, 10, 20}, {T("Quimper"), 29000, 10, 20}};
static const struct city BE_CITIES[] = {{T("Bruxelles"), 1000, 10, 20}, {T("Liège"), 4000, 10, 4},
    {T("Gent"), 9000, 10, 6}, {T("Antwerpen"), 2000, 10, 7}};
static const struct city DE_CITIES[] = {{T("Dresden"), 1067, 2, 120}, {T("Berlin"), 10115, 4, 300},
    {T("Köln"), 50667, 3, 90}, {T("München"), 80331, 6, 200}, {T("Görlitz"), 2826, 1, 3}, {T("Jena"), 7743, 1, 7}};
static const struct city NL_CITIES[] = {{T("Amsterdam"), 1011, 1, 90}, {T("Utrecht"), 3511, 1, 70},
    {T("'s-Hertogenbosch"), 5211, 1, 30}, {T("Coevorden"), 7741, 1, 10}};
static const struct city ES_CITIES[] = {{T("Barcelona"), 8001, 1, 42}, {T("Madrid"), 28001, 1, 55},
    {T("A Coruña"), 15001, 1, 11}, {T("Logroño"), 26001, 1, 9}, {T("Ávila"), 5001, 1, 5}, {T("Cádiz"), 11001, 1, 12}};
static const struct city PL_CITIES[] = {{T("Łódź"), 90001, 7, 90}, {T("Kraków"), 30001, 9, 90},
    {T("Warszawa"), 1001, 6, 90}, {T("Poznań"), 60001, 9, 90}};
static const struct city CZ_CITIES[] = {{T("Praha"), 11000, 100, 80}, {T("Plzeň"), 30100, 100, 20},
    {T("Brno"), 60200, 100, 40}, {T("Příbram"), 26101, 1, 3}};
static const struct city TR_CITIES[] = {{T("Adana"), 1010, 10, 30}, {T("İstanbul"), 34010, 10, 90},
    {T("Muğla"), 48000, 10, 20}, {T("Şanlıurfa"), 63010, 10, 30}};

/* CSV as written, in two halves with a last name between them */
struct company {
    struct text before;
    struct text after;
};
static const struct company COMPANIES[] = {
    {T("Garage "), T("")}, {T("Boulangerie "), T(" SARL")}, {T("\"Chez \"\""), T("\"\"\"")},
    {T("\""), T(", Père & Fils\"")}, {T(""), T(" & Cie")}, {T("Éts "), T("")}, {T("\"SCI \"\"Les "), T("\"\"\"")},
    {T("\""), T(" GmbH, Zweigstelle Süd\"")}, {T("Café "), T("")}, {T("\"Cabinet "), T(", avocats\"")},
    {T(""), T(" Frères SA")}, {T("Imprimerie "), T("")}};

/* second address lines; from LINES2_WITH_NEWLINE on they hold a newline */
static const struct text LINES2[] = {
    T("Appt 12"), T("Bât. B"), T("Résidence Les Œillets"), T("2e étage"), T("Lieu-dit La Forêt"),
    T("BP 104"), T("Escalier C"), T("\"Hall 3, porte 5\""), T("c/o Mme Façon"), T("ZA de l'Étang"),
    T("\"Bâtiment B\nEscalier 3\""), T("\"Résidence du Parc\n1er étage\""), T("\"c/o \"\"Zoé\"\"\nAppt 7\"")};
enum { LINES2_WITH_NEWLINE = 10 };

/* put before the address of those whose first line is longer than the 38 characters of NF Z10-011 */
static const char *const LONG_STARTS[] = {"Résidence des Jardins de la Fontaine aux Fées, bâtiment ",
    "Centre commercial des Quatre-Chemins de Saint-Cyr, local ",
    "Établissement d'hébergement Les Œillets Blancs, chambre "};
/* clang-format on */

#endif
